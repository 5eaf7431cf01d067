#pragma once

// The args of a claimed row: the text of an array, cut into those of its elements. Pure.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace worker {

class ArgsText {
public:
    ArgsText() = default;
    // An array that PostgreSQL accepted as JSON.
    explicit ArgsText(std::string array);

    std::size_t size() const { return ends_.size(); }
    std::size_t bytes() const { return array_.size(); }
    // The text of an element, counted from 0; empty where there is none. Valid as long as this object stays where it
    // is.
    std::string_view element(std::size_t place) const;

private:
    std::string array_;
    std::size_t first_ = 0;            // where the first element starts
    std::vector<std::uint32_t> ends_;  // where each ends: at a comma or at the closing bracket
};

}  // namespace worker

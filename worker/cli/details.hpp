#pragma once

// "name  value" lines, aligned. Pure.

#include "db/rows.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace worker::cli {

class Details {
public:
    // Empty values are left out. Further lines of a value are indented like its first.
    Details& add(std::string name, std::optional<std::string_view> value);
    Details& add_time(std::string name, std::optional<db::TimePoint> time);
    std::string text() const;

private:
    std::vector<std::pair<std::string, std::string>> lines_;
};

}  // namespace worker::cli

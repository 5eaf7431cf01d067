#pragma once

// "name  value" lines, aligned. Pure.

#include "db/rows.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace worker::cli {

class Details {
public:
    // Empty values are left out. Further lines of a value are indented like its first.
    Details& add(std::string name, std::optional<std::string_view> value);
    // A sentence, which may be broken at its blanks.
    Details& add_prose(std::string name, std::optional<std::string_view> value);
    Details& add_time(std::string name, std::optional<db::TimePoint> time);
    // `width`: that of the terminal; 0: any.
    std::string text(std::size_t width) const;

private:
    struct Line {
        std::string name;
        std::string value;
        bool prose;
    };
    std::vector<Line> lines_;
};

}  // namespace worker::cli

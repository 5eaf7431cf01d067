#include "worker/cli/details.hpp"

#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"

#include <algorithm>
#include <utility>

namespace worker::cli {

Details& Details::add(std::string name, std::optional<std::string_view> value) {
    if (value && !value->empty()) lines_.push_back({std::move(name), std::string(*value), false});
    return *this;
}

Details& Details::add_prose(std::string name, std::optional<std::string_view> value) {
    if (value && !value->empty()) lines_.push_back({std::move(name), std::string(*value), true});
    return *this;
}

Details& Details::add_time(std::string name, std::optional<db::TimePoint> time) {
    return time ? add(std::move(name), show_time(*time)) : *this;
}

std::string Details::text(std::size_t width) const {
    std::size_t names = 0;
    for (const Line& line : lines_) names = std::max(names, line.name.size() + 2);
    std::string text;
    for (const Line& line : lines_) {
        text += line.name + std::string(names - line.name.size(), ' ');
        text += hang_lines(line.value, names, line.prose ? width : 0) + "\n";
    }
    return text;
}

}  // namespace worker::cli

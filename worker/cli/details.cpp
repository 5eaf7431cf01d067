#include "worker/cli/details.hpp"

#include "worker/cli/times.hpp"

#include <algorithm>

namespace worker::cli {

Details& Details::add(std::string name, std::optional<std::string_view> value) {
    if (value && !value->empty()) lines_.emplace_back(std::move(name), *value);
    return *this;
}

Details& Details::add_time(std::string name, std::optional<db::TimePoint> time) {
    return time ? add(std::move(name), show_time(*time)) : *this;
}

std::string Details::text() const {
    std::size_t width = 0;
    for (const auto& [name, value] : lines_) width = std::max(width, name.size());
    std::string text;
    for (const auto& [name, value] : lines_) {
        text += name + std::string(width + 2 - name.size(), ' ');
        for (const char c : value) {
            text += c;
            if (c == '\n') text.append(width + 2, ' ');
        }
        text += '\n';
    }
    return text;
}

}  // namespace worker::cli

#include "worker/args.hpp"

#include <cstring>
#include <utility>

namespace worker {

namespace {

// The place behind the string whose opening quote is at `quote`.
std::size_t behind_string(std::string_view text, std::size_t quote) {
    for (std::size_t i = quote + 1; i < text.size(); ++i) {
        const void* const found = std::memchr(text.data() + i, '"', text.size() - i);
        if (found == nullptr) break;
        i = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
        std::size_t escapes = 0;
        while (text[i - 1 - escapes] == '\\') ++escapes;
        if (escapes % 2 == 0) return i + 1;
    }
    return text.size();
}

}  // namespace

ArgsText::ArgsText(std::string array) : array_(std::move(array)) {
    const std::string_view text = array_;
    const std::size_t open = text.find('[');
    if (open == std::string_view::npos) return;
    first_ = open + 1;
    int depth = 0;
    for (std::size_t i = first_; i < text.size();) {
        switch (text[i]) {
            case '"':
                i = behind_string(text, i);
                continue;
            case '[':
            case '{':
                ++depth;
                break;
            case '}':
                --depth;
                break;
            case ',':
                if (depth == 0) ends_.push_back(static_cast<std::uint32_t>(i));
                break;
            case ']':
                if (depth-- == 0) {
                    ends_.push_back(static_cast<std::uint32_t>(i));
                    return;
                }
                break;
            default:
                break;
        }
        ++i;
    }
}

std::string_view ArgsText::element(std::size_t place) const {
    if (place >= ends_.size()) return {};
    const std::size_t start = place == 0 ? first_ : ends_[place - 1] + std::size_t{1};
    return std::string_view(array_).substr(start, ends_[place] - start);
}

}  // namespace worker

#include "jobs/utf8.hpp"

#include <algorithm>

namespace jobs {

namespace {

bool is_continuation(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

// The length of the well-formed sequence that `bytes` starts with; 0 when it is broken, or a NUL.
std::size_t sequence_length(std::string_view bytes) {
    const auto byte = [&](std::size_t at) -> unsigned { return static_cast<unsigned char>(bytes[at]); };
    const unsigned first = byte(0);
    if (first < 0x80) return first == 0 ? 0 : 1;
    if (first < 0xC2 || first > 0xF4) return 0;  // a continuation, an overlong form, or past the last plane
    const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (bytes.size() < length) return 0;
    for (std::size_t at = 1; at < length; ++at) {
        if (!is_continuation(bytes[at])) return 0;
    }
    const unsigned second = byte(1);
    const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
    const bool surrogate = first == 0xED && second >= 0xA0;
    const bool too_high = first == 0xF4 && second >= 0x90;
    return overlong || surrogate || too_high ? 0 : length;
}

}  // namespace

void append_utf8(std::string& text, std::string_view bytes, void (*replace)(std::string& text, unsigned char byte)) {
    while (!bytes.empty()) {
        const auto is_plain = [](char byte) { return static_cast<signed char>(byte) > 0; };
        const auto plain = static_cast<std::size_t>(std::ranges::find_if_not(bytes, is_plain) - bytes.begin());
        text += bytes.substr(0, plain);
        bytes.remove_prefix(plain);
        if (bytes.empty()) return;
        const std::size_t length = sequence_length(bytes);
        if (length == 0) {
            replace(text, static_cast<unsigned char>(bytes.front()));
        } else {
            text += bytes.substr(0, length);
        }
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
}

void append_valid_utf8(std::string& text, std::string_view bytes) {
    append_utf8(text, bytes, [](std::string& to, unsigned char) { append_code_point(to, U'\uFFFD'); });
}

void append_code_point(std::string& text, char32_t code) {
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = U'\uFFFD';
    const auto put = [&text](char32_t bits) { text += static_cast<char>(bits); };
    const auto put_low = [&](int shift) { put(0x80 | ((code >> shift) & 0x3F)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | (code >> 6));
        put_low(0);
    } else if (code < 0x10000) {
        put(0xE0 | (code >> 12));
        put_low(6);
        put_low(0);
    } else {
        put(0xF0 | (code >> 18));
        put_low(12);
        put_low(6);
        put_low(0);
    }
}

std::string_view cut_utf8(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text;
    std::size_t end = limit;
    // At most three continuation bytes can follow a first one; a longer run is no UTF-8 and is cut where it stands.
    for (int steps = 0; steps < 3 && end > 0 && is_continuation(text[end]); ++steps) --end;
    return text.substr(0, is_continuation(text[end]) ? limit : end);
}

}  // namespace jobs

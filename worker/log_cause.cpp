#include "worker/log_cause.hpp"

#include <algorithm>
#include <array>

namespace worker {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_code(char c) {
    return is_digit(c) || (c >= 'A' && c <= 'Z');
}
bool is_seconds(char c) {
    return is_digit(c) || c == '.';
}
bool is_lower_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

struct Shape {
    std::string_view words;
    bool (*rest)(char);         // what may follow them, at least once
    std::string_view end = {};  // and then
};
constexpr std::array<Shape, 5> shapes{{
    {"exit code ", is_digit},
    {"killed by SIG", is_code},
    {"killed by signal ", is_digit},
    {"timed out after ", is_seconds, " s"},
    {"HTTP ", is_digit},
}};
constexpr std::string_view ended_early = "the program ended before it answered";
constexpr std::size_t longest = 24;  // of what follows the words

// Where a word ends.
bool is_end(std::string_view rest) {
    return rest.empty() || rest.front() == ' ' || rest.front() == '\n' || rest.front() == ':';
}

bool is_hex(std::string_view text, std::size_t length) {
    return text.size() == length && std::ranges::all_of(text, is_lower_hex);
}

}  // namespace

std::string_view failure_cause(std::string_view error) {
    for (const Shape& shape : shapes) {
        if (!error.starts_with(shape.words)) continue;
        const std::string_view rest = error.substr(shape.words.size());
        const auto length = static_cast<std::size_t>(std::ranges::find_if_not(rest, shape.rest) - rest.begin());
        if (length == 0 || length > longest || !rest.substr(length).starts_with(shape.end)) return {};
        const std::size_t whole = shape.words.size() + length + shape.end.size();
        return is_end(error.substr(whole)) ? error.substr(0, whole) : std::string_view{};
    }
    if (error.starts_with(ended_early)) return error.substr(0, ended_early.size());
    if (error.starts_with("POST http")) return "no answer";
    return {};
}

std::string_view trace_id(std::string_view traceparent) {
    constexpr std::size_t whole = 55;  // of version 00; a later one may go on behind a dash
    if (traceparent.size() < whole || (traceparent.size() > whole && traceparent[whole] != '-')) return {};
    if (traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-') return {};
    const std::string_view id = traceparent.substr(3, 32);
    const bool valid = is_hex(traceparent.substr(0, 2), 2) && is_hex(id, 32) &&
                       is_hex(traceparent.substr(36, 16), 16) && is_hex(traceparent.substr(53, 2), 2);
    const bool none = std::ranges::all_of(id, [](char c) { return c == '0'; });
    return valid && !none ? id : std::string_view{};
}

}  // namespace worker

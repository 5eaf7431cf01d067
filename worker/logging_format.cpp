#include "worker/logging_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

namespace worker {

namespace {

// The length of the UTF-8 character at the start of `text`; 0 when its bytes are none.
std::size_t character_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto follows = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0U) == 0x80U; };
    const unsigned char first = byte(0);
    if (first < 0x80U) return 1;
    if (first >= 0xC2U && first < 0xE0U) return follows(1) ? 2 : 0;
    if (first >= 0xE0U && first < 0xF0U && follows(1) && follows(2)) {
        const bool overlong = first == 0xE0U && byte(1) < 0xA0U;
        const bool surrogate = first == 0xEDU && byte(1) >= 0xA0U;
        return overlong || surrogate ? 0 : 3;
    }
    if (first >= 0xF0U && first < 0xF5U && follows(1) && follows(2) && follows(3)) {
        const bool overlong = first == 0xF0U && byte(1) < 0x90U;
        const bool beyond = first == 0xF4U && byte(1) >= 0x90U;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

// Control characters as escapes, and what is not UTF-8 as the replacement character. With `quotes`, fit for JSON.
void append_escaped(std::string& line, std::string_view text, bool quotes) {
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        const char c = text.front();
        if (length == 0) {
            line += "\xEF\xBF\xBD";
        } else if (length > 1) {
            line += text.substr(0, length);
        } else if (c == '\n') {
            line += "\\n";
        } else if (c == '\t') {
            line += "\\t";
        } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7F') {
            line += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
            if (quotes && (c == '"' || c == '\\')) line += '\\';
            line += c;
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
}

void append_quoted(std::string& line, std::string_view text) {
    line += '"';
    append_escaped(line, text, true);
    line += '"';
}

void append_time(std::string& line, std::chrono::system_clock::time_point time) {
    const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(milliseconds);
    const std::time_t whole = seconds.count();
    std::tm utc{};
    gmtime_r(&whole, &utc);
    line += fmt::format(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        utc.tm_year + 1900,
        utc.tm_mon + 1,
        utc.tm_mday,
        utc.tm_hour,
        utc.tm_min,
        utc.tm_sec,
        (milliseconds - seconds).count()
    );
}

void append_value(std::string& line, const Field& field, bool always_quoted) {
    if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
        line += std::to_string(*number);
    } else if (const auto* real = std::get_if<double>(&field.value)) {
        line += std::isfinite(*real) ? fmt::format("{}", *real) : "null";  // JSON has no infinity
    } else {
        const auto& text = std::get<std::string>(field.value);
        const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
            return c > ' ' && c < '\x7F' && c != '"' && c != '=' && c != '\\';
        });
        if (plain && !always_quoted) {
            line += text;
        } else {
            append_quoted(line, text);
        }
    }
}

}  // namespace

std::string to_json_line(const LogLine& line) {
    std::string text = "{\"time\":\"";
    append_time(text, line.time);
    text += "\",\"level\":\"";
    text += line.level;
    text += "\",\"component\":\"";
    text += line.component;
    text += "\",\"message\":";
    append_quoted(text, line.message);
    if (line.fields != nullptr) {
        for (const Field& field : *line.fields) {
            text += ",\"";
            text += field.name;
            text += "\":";
            append_value(text, field, true);
        }
    }
    return text + "}\n";
}

std::string to_text_line(const LogLine& line) {
    std::string text;
    append_time(text, line.time);
    text += fmt::format(" {:<5} ", line.level);
    append_escaped(text, line.message, false);
    if (line.fields != nullptr) {
        std::string_view gap = "  ";
        for (const Field& field : *line.fields) {
            text += gap;
            text += field.name;
            text += '=';
            append_value(text, field, false);
            gap = " ";
        }
    }
    return text + "\n";
}

}  // namespace worker

#include "jobs/documents/extract_text.hpp"

#include "jobs/documents/html.hpp"
#include "jobs/documents/markdown.hpp"
#include "jobs/documents/references.hpp"
#include "jobs/utf8.hpp"

#include <string_view>
#include <utility>

namespace jobs::documents {

namespace {

std::string decode(std::string_view bytes) {
    constexpr std::string_view mark = "\xEF\xBB\xBF";  // of the byte order
    if (bytes.starts_with(mark)) bytes.remove_prefix(mark.size());
    std::string text;
    text.reserve(bytes.size());
    append_utf8(text, bytes, [](std::string& to, unsigned char byte) {
        append_code_point(to, code_of_windows_1252(byte));
    });
    return text;
}

// Of the blank, or the control character, that stands there; 0: none does.
std::size_t length_of_blank(std::string_view text, std::size_t at) {
    constexpr std::string_view no_break = "\xC2\xA0";
    const auto code = static_cast<unsigned char>(text[at]);
    if (code <= ' ' || code == 0x7F) return 1;
    return text.substr(at, 2) == no_break ? 2 : 0;
}

// In its place: what stays is never longer.
void shrink_blanks(std::string& text) {
    std::size_t to = 0;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at;
        int lines = 0;
        while (end < text.size()) {
            const std::size_t length = length_of_blank(text, end);
            if (length == 0) break;
            lines += text[end] == '\n' ? 1 : 0;
            end += length;
        }
        if (end > at && to > 0 && end < text.size()) {
            for (int line = 0; line < lines && line < 2; ++line) text[to++] = '\n';
            if (lines == 0) text[to++] = ' ';
        }
        for (at = end; at < text.size() && length_of_blank(text, at) == 0; ++at) text[to++] = text[at];
    }
    text.resize(to);
}

}  // namespace

std::string extract_text(Format format, std::string bytes) {
    std::string text = decode(bytes);
    bytes = {};
    if (format == Format::html) text = html_text(text);
    if (format == Format::markdown) text = markdown_text(text);
    shrink_blanks(text);
    text.shrink_to_fit();
    return text;
}

}  // namespace jobs::documents

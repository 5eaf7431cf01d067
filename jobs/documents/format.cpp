#include "jobs/documents/format.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>
#include <string>

namespace jobs::documents {

namespace {

constexpr std::array<std::string_view, 3> html_ends{".html", ".htm", ".xhtml"};
constexpr std::array<std::string_view, 3> markdown_ends{".md", ".markdown", ".mkd"};
constexpr std::array<std::string_view, 48> other_ends{
    ".7z",  ".a",      ".avi",  ".bin", ".bmp", ".bz2",  ".class", ".css", ".db",   ".deb",  ".doc",   ".docx",
    ".dvi", ".eps",    ".epub", ".exe", ".gif", ".gmo",  ".ico",   ".jar", ".jpeg", ".jpg",  ".js",    ".lz4",
    ".map", ".mo",     ".mp3",  ".mp4", ".o",   ".odt",  ".ogg",   ".pdf", ".png",  ".ps",   ".pyc",   ".rpm",
    ".so",  ".sqlite", ".svg",  ".tar", ".tgz", ".tiff", ".ttf",   ".wav", ".webp", ".woff", ".woff2", ".zip",
};
constexpr std::array<std::string_view, 3> packers{".xz", ".zst", ".Z"};  // that are not read

std::string lower(std::string_view text) {
    std::string low(text);
    std::ranges::transform(low, low.begin(), [](unsigned char letter) { return std::tolower(letter); });
    return low;
}

bool ends_with_one(std::string_view text, std::span<const std::string_view> ends) {
    return std::ranges::any_of(ends, [&](std::string_view end) { return text.ends_with(end); });
}

// The name in small letters, without .gz.
struct Name {
    std::string plain;
    bool is_packed = false;

    explicit Name(std::string_view path) : plain(lower(path.substr(path.rfind('/') + 1))) {
        is_packed = plain.ends_with(".gz");
        if (is_packed) plain.resize(plain.size() - 3);
    }
};

bool is_control(char byte) {
    const auto code = static_cast<unsigned char>(byte);
    const bool is_layout = (code >= '\t' && code <= '\r') || code == '\b' || code == 0x1B;
    return code < ' ' && !is_layout;
}

}  // namespace

std::string_view name_of(Format format) {
    static constexpr std::array<std::string_view, 3> names{"text", "markdown", "html"};
    return names[static_cast<std::size_t>(format)];
}

FileKind kind_of(std::string_view path) {
    const Name name(path);
    FileKind kind{.format = Format::text, .is_packed = name.is_packed};
    if (ends_with_one(name.plain, html_ends)) kind.format = Format::html;
    if (ends_with_one(name.plain, markdown_ends)) kind.format = Format::markdown;
    return kind;
}

bool names_no_document(std::string_view path) {
    return ends_with_one(Name(path).plain, other_ends) || ends_with_one(path, packers);
}

bool is_binary(std::string_view bytes) {
    if (bytes.find('\0') != std::string_view::npos) return true;
    const std::string_view head = bytes.substr(0, 4096);
    return static_cast<std::size_t>(std::ranges::count_if(head, is_control)) > head.size() / 10;
}

}  // namespace jobs::documents

#pragma once

// What kind of document a file is, by its name and its first bytes. Pure.

#include <string_view>

namespace jobs::documents {

enum class Format { text, markdown, html };
std::string_view name_of(Format format);

struct FileKind {
    Format format = Format::text;
    bool is_packed = false;  // with gzip
};

// By the end of the name: .html, .md and the like, with or without .gz; whatever else is text.
FileKind kind_of(std::string_view path);

// Whether the name ends like that of an image, an archive, a program and so on: what no look inside could make a
// document of.
bool names_no_document(std::string_view path);

// Whether bytes are no text: they hold a NUL, or too many control characters.
bool is_binary(std::string_view bytes);

}  // namespace jobs::documents

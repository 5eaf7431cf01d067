#pragma once

// Text that a database and a JSON log accept, from bytes that may be anything.

#include <string>
#include <string_view>

namespace jobs {

// Appends `bytes` to `text` with each broken UTF-8 sequence, and each NUL (PostgreSQL's text cannot hold one),
// replaced by U+FFFD.
void append_valid_utf8(std::string& text, std::string_view bytes);

// The same, with `replace(text, byte)` for each byte of a broken sequence, and for NUL.
void append_utf8(std::string& text, std::string_view bytes, void (*replace)(std::string& text, unsigned char byte));

// Appends the UTF-8 of a code point; U+FFFD for what is none.
void append_code_point(std::string& text, char32_t code);

// The first bytes of `text`, at most `limit`, without cutting a UTF-8 sequence in two.
std::string_view cut_utf8(std::string_view text, std::size_t limit);

}  // namespace jobs

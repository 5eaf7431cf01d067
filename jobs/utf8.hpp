#pragma once

// Text that a database and a JSON log accept, from bytes that may be anything.

#include <string>
#include <string_view>

namespace jobs {

// Appends `bytes` to `text` with each broken UTF-8 sequence, and each NUL (PostgreSQL's text cannot hold one),
// replaced by U+FFFD.
void append_valid_utf8(std::string& text, std::string_view bytes);

// The first bytes of `text`, at most `limit`, without cutting a UTF-8 sequence in two.
std::string_view cut_utf8(std::string_view text, std::size_t limit);

}  // namespace jobs

#pragma once

// Characters by name or number, as HTML and Markdown write them: &amp; &eacute; &#8212;. Pure.

#include <cstddef>
#include <string>
#include <string_view>

namespace jobs::documents {

// Appends the character that `rest`, which begins with &, refers to; answers how much of it that took. What is no
// reference is an ampersand.
std::size_t append_reference(std::string& text, std::string_view rest);

// Of a byte of windows-1252, which is Latin-1 with more characters; U+FFFD for what it does not have.
char32_t code_of_windows_1252(unsigned byte);

}  // namespace jobs::documents

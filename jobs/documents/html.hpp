#pragma once

// The text of an HTML page. Pure.

#include <string>
#include <string_view>

namespace jobs::documents {

// What a reader sees, blocks as lines of their own; title included, scripts and styles not. From UTF-8 that need not be
// well-formed HTML. Takes time and memory in proportion to the page: there is no tree, so no depth.
std::string html_text(std::string_view html);

}  // namespace jobs::documents

#pragma once

// The text of a Markdown document. Pure.

#include <string>
#include <string_view>

namespace jobs::documents {

// Its words without the marks around them: headings, lists, quotes, emphasis, links (their text stays, their target
// goes), fences (the code stays), tags of HTML. Line by line, in proportion to its length.
std::string markdown_text(std::string_view markdown);

}  // namespace jobs::documents

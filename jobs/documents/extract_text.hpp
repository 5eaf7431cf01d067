#pragma once

// From a document's bytes to its text. Pure.

#include "jobs/documents/format.hpp"

#include <string>

namespace jobs::documents {

// Its text in UTF-8, without NUL. Bytes that are no UTF-8 are taken for windows-1252, in which old documents of Europe
// are written. Blanks and empty lines between words shrink to one, control characters to blanks.
std::string extract_text(Format format, std::string bytes);

}  // namespace jobs::documents

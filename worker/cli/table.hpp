#pragma once

// Tables of text. Pure.

#include <cstddef>
#include <string>
#include <vector>

namespace worker::cli {

struct Column {
    std::string title;
    bool right = false;    // numbers
    bool shrinks = false;  // may be cut when the table is wider than the terminal
};

using Cells = std::vector<std::string>;

// The titles, then a line a row, two blanks between columns, no blanks at the ends of lines. A table wider than `width`
// is made to fit by cutting the widest of the columns that may be cut, none below 8 characters; 0 means any width.
// Control characters in cells are made harmless.
std::string render_table(const std::vector<Column>& columns, const std::vector<Cells>& rows, std::size_t width);

}  // namespace worker::cli

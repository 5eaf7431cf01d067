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
    bool leaves = false;   // may be left out when it still is
};

using Cells = std::vector<std::string>;

// The titles, then a line a row, two blanks between columns, no blanks at the ends of lines. A table wider than `width`
// is made to fit by cutting the widest of the columns that may be cut, none below 6 characters, and, where that is not
// enough, by leaving out columns that may be left out, the last first; 0 means any width.
// Control characters in cells are made harmless.
std::string render_table(std::vector<Column> columns, const std::vector<Cells>& rows, std::size_t width);

}  // namespace worker::cli

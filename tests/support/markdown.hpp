#pragma once

// What a page in Markdown says that a test can hold against the program.

#include <string>
#include <vector>

namespace tests {

// The text of a file, its path from the project's folder.
std::string read_page(const std::string& path);

// The contents of the fenced blocks with this word behind their opening fence.
std::vector<std::string> blocks_of(const std::string& page, const std::string& language);

// A file, or a part of one, that a page shows in the block behind <!-- MARK: NAME -->.
struct Snippet {
    std::string name;
    std::string text;
};
std::vector<Snippet> snippets_of(const std::string& page, const std::string& mark);

// The lines that an indentation of four blanks makes code, without it.
std::vector<std::string> indented_lines(const std::string& page);

// What stands between single backquotes outside of blocks.
std::vector<std::string> code_spans(const std::string& page);

std::vector<std::string> lines_of(const std::string& text);  // without empty ones

// The anchors of its headings as GitHub makes them, and those that its links name: [text](#anchor).
std::vector<std::string> heading_anchors(const std::string& page);
std::vector<std::string> linked_anchors(const std::string& page);

}  // namespace tests

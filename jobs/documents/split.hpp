#pragma once

// A text in pieces for searching and embedding. Pure.

#include <string_view>
#include <vector>

namespace jobs::documents {

struct SplitSizes {
    int tokens = 500;  // of a chunk, at most
    int overlap = 50;  // that it has in common with the one before it
};

// The chunks of a text, in order, each a part of it. Tokens are estimated, near enough to those of the models' own
// tokenizers: up to six letters of a word, up to eight marks that are alike, and each letter of a script without blanks
// are one. A chunk ends at the end of a paragraph when there is one in its last fifth, else between two words, and
// inside of a word only where one is longer than that. Takes time in proportion to the text.
std::vector<std::string_view> split(std::string_view text, SplitSizes sizes = {});

}  // namespace jobs::documents

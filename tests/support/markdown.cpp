#include "tests/support/markdown.hpp"

#include <cctype>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace tests {

namespace {

constexpr std::string_view fence = "```";

// The page in two parts: what stands in blocks with their language, and the prose.
struct Parts {
    struct Block {
        std::string language;
        std::string text;
    };
    std::vector<Block> blocks;
    std::string prose;
};

Parts take_apart(const std::string& page) {
    Parts parts;
    bool inside = false;
    std::istringstream lines(page);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(fence)) {
            inside = !inside;
            if (inside) parts.blocks.push_back({line.substr(fence.size()), {}});
        } else {
            (inside ? parts.blocks.back().text : parts.prose) += line + "\n";
        }
    }
    if (inside) throw std::runtime_error("a block is not closed");
    return parts;
}

std::vector<std::string> matches(const std::string& text, const std::regex& pattern) {
    std::vector<std::string> found;
    for (std::sregex_iterator at(text.begin(), text.end(), pattern); at != std::sregex_iterator(); ++at) {
        found.push_back((*at)[1]);
    }
    return found;
}

}  // namespace

std::string read_page(const std::string& path) {
    std::ifstream file(TASK_WORKER_SOURCE_DIR "/" + path);
    if (!file) throw std::runtime_error("no " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> blocks_of(const std::string& page, const std::string& language) {
    std::vector<std::string> texts;
    for (Parts::Block& block : take_apart(page).blocks) {
        if (block.language == language) texts.push_back(std::move(block.text));
    }
    return texts;
}

std::vector<Snippet> snippets_of(const std::string& page, const std::string& mark) {
    const std::regex start("<!-- " + mark + ": (\\S+) -->\n```[a-z]*\n");
    std::vector<Snippet> found;
    for (std::sregex_iterator one(page.begin(), page.end(), start), end; one != end; ++one) {
        const auto from = static_cast<std::size_t>(one->position() + one->length());
        found.push_back({(*one)[1], page.substr(from, page.find("```\n", from) - from)});
    }
    return found;
}

std::vector<std::string> indented_lines(const std::string& page) {
    std::vector<std::string> found;
    for (const std::string& line : lines_of(take_apart(page).prose)) {
        if (line.starts_with("    ") && line.size() > 4 && line[4] != ' ') found.push_back(line.substr(4));
    }
    return found;
}

std::vector<std::string> code_spans(const std::string& page) {
    return matches(take_apart(page).prose, std::regex("`([^`]+)`"));
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> found;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty()) found.push_back(line);
    }
    return found;
}

std::vector<std::string> heading_anchors(const std::string& page) {
    std::vector<std::string> anchors;
    for (const std::string& line : lines_of(take_apart(page).prose)) {
        const std::size_t hashes = line.find_first_not_of('#');
        if (hashes == 0 || hashes == std::string::npos || line[hashes] != ' ') continue;
        std::string anchor;
        for (const char c : line.substr(hashes + 1)) {
            if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_') {
                anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            } else if (c == ' ') {
                anchor += '-';
            }
        }
        anchors.push_back(anchor);
    }
    return anchors;
}

std::vector<std::string> linked_anchors(const std::string& page) {
    return matches(take_apart(page).prose, std::regex(R"(\]\(#([^)]+)\))"));
}

}  // namespace tests

#include "tests/support/source_text.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

namespace tests {

namespace {

bool is_upper(char letter) {
    return std::isupper(static_cast<unsigned char>(letter)) != 0;
}
bool is_letter(char letter) {
    return std::isalpha(static_cast<unsigned char>(letter)) != 0;
}

// A piece of source: code, or a comment, or a literal with its quotes.
enum class Piece { code, comment, literal };

// The end of the raw literal that begins at R"name( .
std::size_t raw_end(std::string_view text, std::size_t start) {
    const std::size_t open = text.find('(', start);
    const std::string closing = ")" + std::string(text.substr(start + 2, open - start - 2)) + "\"";
    const std::size_t end = text.find(closing, open);
    return end == std::string_view::npos ? text.size() : end + closing.size();
}

// The end of a literal in quotes, minding what is escaped.
std::size_t quoted_end(std::string_view text, std::size_t start) {
    std::size_t at = start + 1;
    while (at < text.size() && text[at] != text[start]) at += text[at] == '\\' ? 2 : 1;
    return std::min(at + 1, text.size());
}

// Calls each(piece, text of it) from the beginning to the end.
template <class Each>
void for_each_piece(std::string_view text, Each each) {
    std::size_t code = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::string_view rest = text.substr(at);
        // The quote in 1'000 is no literal's.
        const bool in_number = at > 0 && rest[0] == '\'' && std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0;
        Piece piece = Piece::comment;
        std::size_t end = at;
        if (rest.starts_with("//")) {
            end = std::min(text.find('\n', at), text.size());
        } else if (rest.starts_with("/*")) {
            end = std::min(text.find("*/", at + 2), text.size() - 2) + 2;
        } else if (rest.starts_with("R\"")) {
            piece = Piece::literal;
            end = raw_end(text, at);
        } else if (!in_number && (rest[0] == '"' || rest[0] == '\'')) {
            piece = Piece::literal;
            end = quoted_end(text, at);
        }
        if (end == at) {
            ++at;
            continue;
        }
        each(Piece::code, text.substr(code, at - code));
        each(piece, text.substr(at, end - at));
        code = at = end;
    }
    each(Piece::code, text.substr(code));
}

}  // namespace

int SourceFile::lines() const {
    return static_cast<int>(std::ranges::count(text, '\n'));
}

std::vector<SourceFile> read_sources(const std::filesystem::path& project, const std::vector<std::string>& rooms) {
    std::vector<SourceFile> sources;
    for (const std::string& room : rooms) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(project / room)) {
            const std::string extension = entry.path().extension();
            if (extension != ".cpp" && extension != ".hpp") continue;
            std::ostringstream text;
            text << std::ifstream(entry.path()).rdbuf();
            sources.push_back({.path = entry.path().lexically_relative(project), .text = text.str()});
        }
    }
    std::ranges::sort(sources, {}, &SourceFile::path);
    return sources;
}

std::string without_comments(std::string_view text) {
    std::string code;
    for_each_piece(text, [&](Piece piece, std::string_view part) {
        if (piece != Piece::comment) {
            code += part;
        } else {
            code.append(static_cast<std::size_t>(std::ranges::count(part, '\n')), '\n');
        }
    });
    return code;
}

std::vector<std::string> string_literals(std::string_view text) {
    std::vector<std::string> literals;
    for_each_piece(text, [&](Piece piece, std::string_view part) {
        if (piece != Piece::literal || part.starts_with('\'')) return;
        const std::size_t start = part.starts_with('R') ? part.find('(') : 0;
        const std::size_t end = part.starts_with('R') ? part.rfind(')') : part.size() - 1;
        literals.emplace_back(part.substr(start + 1, end - start - 1));
    });
    return literals;
}

std::vector<std::string> includes(std::string_view text) {
    std::vector<std::string> names;
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("#include ")) continue;
        const std::size_t start = line.find_first_of("\"<") + 1;
        names.push_back(line.substr(start, line.find_first_of("\">", start) - start));
    }
    return names;
}

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> found;
    std::string word;
    char before = ' ';
    for (const char letter : text) {
        const bool new_hump = is_upper(letter) && !is_upper(before);
        if ((!is_letter(letter) || new_hump) && !word.empty()) {
            found.push_back(word);
            word.clear();
        }
        if (is_letter(letter)) word += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
        before = letter;
    }
    if (!word.empty()) found.push_back(word);
    return found;
}

}  // namespace tests

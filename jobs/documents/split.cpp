#include "jobs/documents/split.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace jobs::documents {

namespace {

bool is_blank(char byte) {
    return byte == ' ' || byte == '\n';
}

// Of a code point, by its first byte.
std::size_t length_of(char byte) {
    const auto code = static_cast<unsigned char>(byte);
    return code < 0xC0 ? 1 : code < 0xE0 ? 2 : code < 0xF0 ? 3 : 4;
}

// Of a script that puts blanks between its words. Most of those without begin at U+2E80, with 0xE2 0xBA.
bool is_letter(std::string_view rest) {
    const auto code = static_cast<unsigned char>(rest.front());
    if (code < 0x80) return std::isalnum(code) != 0;
    return code < 0xE2;
}

// The end of the token that begins at `from`.
std::size_t end_of_token(std::string_view text, std::size_t from) {
    constexpr int longest_word = 6;
    constexpr int longest_rule = 8;
    std::size_t at = from;
    if (is_letter(text.substr(from))) {
        for (int letters = 0; letters < longest_word && at < text.size() && is_letter(text.substr(at)); ++letters) {
            at += length_of(text[at]);
        }
    } else {
        const std::string_view mark = text.substr(from, length_of(text[from]));
        for (int marks = 0; marks < longest_rule && text.substr(at).starts_with(mark); ++marks) {
            at += mark.size();
            if (mark.size() > 1) break;  // a letter of a script without blanks
        }
    }
    return std::min(at, text.size());
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
    while (at < text.size() && is_blank(text[at])) ++at;
    return at;
}

class Splitter {
public:
    Splitter(std::string_view text, SplitSizes sizes) : text_(text), sizes_(sizes) {}

    std::vector<std::string_view> chunks() && {
        std::vector<std::string_view> chunks;
        std::size_t from = skip_blanks(text_, 0);
        while (from < text_.size()) {
            read_tokens(from);
            const std::size_t cut = find_cut();
            const std::size_t end = begins_[cut];
            std::string_view chunk = text_.substr(from, end - from);
            while (is_blank(chunk.back())) chunk.remove_suffix(1);
            chunks.push_back(chunk);
            from = end == text_.size() ? end : begins_[find_next(cut)];
        }
        return chunks;
    }

private:
    // Where as many tokens as fit begin, and after them the one that does not: the end of the text when all do.
    void read_tokens(std::size_t from) {
        begins_.clear();
        for (std::size_t at = from; at < text_.size() && std::ssize(begins_) <= sizes_.tokens;) {
            begins_.push_back(at);
            at = skip_blanks(text_, end_of_token(text_, at));
        }
        if (std::ssize(begins_) <= sizes_.tokens) begins_.push_back(text_.size());
    }

    // The token before which the chunk ends.
    std::size_t find_cut() const {
        const std::size_t last = begins_.size() - 1;
        if (begins_[last] == text_.size()) return last;
        const std::size_t least = last - last / 5;
        for (std::size_t token = last; token >= least && token > 0; --token) {
            if (text_.substr(0, begins_[token]).ends_with("\n\n")) return token;
        }
        for (std::size_t token = last; token >= least && token > 0; --token) {
            if (begins_word(token)) return token;
        }
        return last;
    }

    // The token with which the next chunk begins.
    std::size_t find_next(std::size_t cut) const {
        const auto overlap = static_cast<std::size_t>(sizes_.overlap);
        const std::size_t first = cut > overlap ? cut - overlap : cut;
        for (std::size_t token = first; token < cut; ++token) {
            if (begins_word(token)) return token;
        }
        return first;
    }

    bool begins_word(std::size_t token) const { return begins_[token] > 0 && is_blank(text_[begins_[token] - 1]); }

    std::string_view text_;
    SplitSizes sizes_;
    std::vector<std::size_t> begins_;
};

}  // namespace

std::vector<std::string_view> split(std::string_view text, SplitSizes sizes) {
    return Splitter(text, sizes).chunks();
}

}  // namespace jobs::documents

#include "jobs/documents/markdown.hpp"

#include "jobs/documents/references.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

namespace jobs::documents {

namespace {

bool is_word(char byte) {
    const auto code = static_cast<unsigned char>(byte);
    return code >= 0x80 || std::isalnum(code) != 0;
}
bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r';
}
bool consists_of(std::string_view line, std::string_view letters) {
    return line.find_first_not_of(letters) == std::string_view::npos;
}

// Ends of code, targets and tags are looked for no further: a line may be as long as its file.
constexpr std::size_t longest_look = 1000;

std::string_view trimmed(std::string_view line) {
    while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
    while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
    return line;
}

// The marks inside a line.
class Inline {
public:
    explicit Inline(std::string_view line, std::string& text) : line_(line), text_(text) {}

    void run() {
        while (at_ < line_.size()) {
            const char byte = line_[at_];
            if (byte == '\\' && at_ + 1 < line_.size() &&
                std::ispunct(static_cast<unsigned char>(line_[at_ + 1])) != 0) {
                text_ += line_[at_ + 1];
                at_ += 2;
            } else if (byte == '`') {
                take_code();
            } else if (byte == '*' || byte == '_' || byte == '~') {
                take_emphasis(byte);
            } else if (byte == '[') {
                brackets_.push_back(text_.size());
                keep();
            } else if (byte == ']') {
                take_bracket();
            } else if (byte == '<') {
                take_tag();
            } else if (byte == '&') {
                at_ += append_reference(text_, line_.substr(at_));
            } else {
                keep();
            }
        }
    }

private:
    void keep() { text_ += line_[at_++]; }
    std::size_t length_of_run(char byte) const {
        return std::min(line_.find_first_not_of(byte, at_), line_.size()) - at_;
    }

    // As it is, up to a run of as many backticks; without one they are backticks.
    void take_code() {
        const std::size_t length = length_of_run('`');
        const std::string_view mark = line_.substr(at_, length);
        const std::string_view behind = line_.substr(at_ + length, longest_look);
        const std::size_t end = behind.find(mark);
        const bool is_code = end != std::string_view::npos;
        text_ += is_code ? behind.substr(0, end) : mark;
        at_ += is_code ? length + end + length : length;
    }

    // A mark stands at one side of a word: not between blanks, nor inside of a word.
    void take_emphasis(char byte) {
        const std::size_t length = length_of_run(byte);
        const char before = at_ == 0 ? ' ' : line_[at_ - 1];
        const char after = at_ + length == line_.size() ? ' ' : line_[at_ + length];
        const bool is_mark = !(is_word(before) && is_word(after)) && !(is_blank(before) && is_blank(after));
        if (!is_mark) text_ += line_.substr(at_, length);
        at_ += length;
    }

    // Behind the text of a link its target.
    void take_bracket() {
        const bool is_paired = !brackets_.empty();
        const std::size_t open = is_paired ? brackets_.back() : 0;
        if (is_paired) brackets_.pop_back();
        const char next = at_ + 1 < line_.size() ? line_[at_ + 1] : ' ';
        const std::string_view behind = line_.substr(at_ + 1, longest_look);
        const std::size_t end = next == '('   ? behind.find(')')
                                : next == '[' ? behind.find(']')
                                              : std::string_view::npos;
        if (!is_paired || end == std::string_view::npos) return keep();
        text_[open] = ' ';
        if (open > 0 && text_[open - 1] == '!') text_[open - 1] = ' ';  // an image
        at_ += end + 2;
    }

    void take_tag() {
        const std::string_view rest = line_.substr(at_, longest_look);
        const std::size_t end = rest.find('>');
        const bool begins = rest.size() > 1 && (is_word(rest[1]) || rest[1] == '/' || rest[1] == '!');
        if (!begins || end == std::string_view::npos) return keep();
        const std::string_view inside = rest.substr(1, end - 1);
        const bool is_address = inside.find(' ') == std::string_view::npos && inside.find_first_of(":@") != inside.npos;
        text_ += is_address ? inside : " ";
        at_ += end + 1;
    }

    std::string_view line_;
    std::string& text_;
    std::size_t at_ = 0;
    std::vector<std::size_t> brackets_;  // those that are open, in text_
};

class Document {
public:
    explicit Document(std::string_view markdown) : rest_(markdown) { text_.reserve(markdown.size()); }

    std::string text() && {
        while (!rest_.empty()) {
            const std::size_t end = std::min(rest_.find('\n'), rest_.size());
            take_line(rest_.substr(0, end));
            rest_.remove_prefix(std::min(end + 1, rest_.size()));
        }
        return std::move(text_);
    }

private:
    void take_line(std::string_view line) {
        std::string_view bare = trimmed(line);
        if (is_fence(bare)) return;
        if (!fence_.empty()) {
            text_ += line;
            text_ += '\n';
            return;
        }
        while (bare.starts_with('>')) bare = trimmed(bare.substr(1));
        if (bare.size() >= 2 && consists_of(bare, "=-*_|: ")) return;  // an underline, a rule, the head of a table
        if (is_definition(bare)) return;
        if (const std::size_t marks = bare.find_first_not_of('#'); marks > 0 && marks <= 6 && is_blank(bare[marks])) {
            bare = trimmed(bare.substr(marks));
            while (bare.ends_with('#')) bare.remove_suffix(1);
            text_ += '\n';
        } else if (bare.size() > 1 && is_blank(bare[1]) && std::string_view("-*+").find(bare[0]) != bare.npos) {
            bare = trimmed(bare.substr(2));
        }
        Inline(bare, text_).run();
        text_ += '\n';
    }

    // The first and the last line of code.
    bool is_fence(std::string_view bare) {
        if (!fence_.empty()) {
            if (!bare.starts_with(fence_) || !consists_of(bare, fence_.substr(0, 1))) return false;
            fence_ = {};
            return true;
        }
        if (!bare.starts_with("```") && !bare.starts_with("~~~")) return false;
        const std::size_t length = std::min(bare.find_first_not_of(bare[0]), bare.size());
        if (bare.substr(length).find('`') != std::string_view::npos) return false;  // code inside a line
        fence_ = bare.substr(0, length);
        return true;
    }

    // [name]: target
    static bool is_definition(std::string_view bare) {
        const std::size_t end = bare.find("]:");
        return bare.starts_with('[') && end != std::string_view::npos && end < 200;
    }

    std::string_view rest_;
    std::string_view fence_;  // the one that is open, empty: none
    std::string text_;
};

}  // namespace

std::string markdown_text(std::string_view markdown) {
    return Document(markdown).text();
}

}  // namespace jobs::documents

#include "jobs/documents/html.hpp"

#include "jobs/documents/references.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace jobs::documents {

namespace {

bool is_letter(char byte) {
    return std::isalpha(static_cast<unsigned char>(byte)) != 0;
}
bool is_blank(char byte) {
    return std::isspace(static_cast<unsigned char>(byte)) != 0;
}
char lower(char byte) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(byte)));
}

// Elements whose text nobody sees, and which hold no other elements.
constexpr std::array<std::string_view, 5> raw{"iframe", "noembed", "noframes", "script", "style"};

// What an element stands between, by name; any other stands in the middle of a line.
struct Break {
    std::string_view name;
    std::string_view text;
};
constexpr auto breaks = std::to_array<Break>({
    {"address", "\n"},  {"article", "\n\n"}, {"aside", "\n\n"},    {"blockquote", "\n\n"},
    {"body", "\n\n"},   {"br", "\n"},        {"caption", "\n"},    {"center", "\n"},
    {"dd", "\n"},       {"details", "\n"},   {"div", "\n"},        {"dl", "\n\n"},
    {"dt", "\n"},       {"fieldset", "\n"},  {"figcaption", "\n"}, {"figure", "\n\n"},
    {"footer", "\n\n"}, {"form", "\n"},      {"h1", "\n\n"},       {"h2", "\n\n"},
    {"h3", "\n\n"},     {"h4", "\n\n"},      {"h5", "\n\n"},       {"h6", "\n\n"},
    {"header", "\n\n"}, {"hr", "\n\n"},      {"legend", "\n"},     {"li", "\n"},
    {"main", "\n\n"},   {"nav", "\n\n"},     {"ol", "\n\n"},       {"option", "\n"},
    {"p", "\n\n"},      {"pre", "\n\n"},     {"section", "\n\n"},  {"summary", "\n"},
    {"table", "\n\n"},  {"tbody", "\n"},     {"td", " "},          {"tfoot", "\n"},
    {"th", " "},        {"thead", "\n"},     {"title", "\n\n"},    {"tr", "\n"},
    {"ul", "\n\n"},
});

class Page {
public:
    explicit Page(std::string_view html) : rest_(html) { text_.reserve(html.size() / 2); }

    std::string text() && {
        while (!rest_.empty()) {
            const std::size_t plain = std::min(rest_.find_first_of("<&"), rest_.size());
            put(rest_.substr(0, plain));
            rest_.remove_prefix(plain);
            if (rest_.empty()) break;
            if (rest_.front() == '&') {
                rest_.remove_prefix(append_reference(text_, rest_));
            } else {
                take_markup();
            }
        }
        return std::move(text_);
    }

private:
    void put(std::string_view plain) {
        const std::size_t from = text_.size();
        text_ += plain;
        if (preformatted_ > 0) return;
        std::replace_if(text_.begin() + static_cast<std::ptrdiff_t>(from), text_.end(), is_blank, ' ');
    }

    // Up to the end of `mark`, or of everything.
    void skip_past(std::string_view mark, std::size_t from) {
        const std::size_t found = rest_.find(mark, from);
        rest_.remove_prefix(found == std::string_view::npos ? rest_.size() : found + mark.size());
    }

    void take_markup() {
        const std::size_t name = rest_.substr(1).starts_with('/') ? 2 : 1;
        if (rest_.size() > name && is_letter(rest_[name])) {
            take_tag(name);
        } else if (rest_.starts_with("<!--")) {
            skip_past("-->", 2);
        } else if (rest_.starts_with("<!") || rest_.starts_with("<?") || rest_.starts_with("</")) {
            skip_past(">", 1);
        } else {
            put(rest_.substr(0, 1));
            rest_.remove_prefix(1);
        }
    }

    void take_tag(std::size_t from) {
        const bool closes = from == 2;
        std::string name;
        for (std::size_t at = from; at < rest_.size() && std::isalnum(static_cast<unsigned char>(rest_[at])) != 0; ++at)
            name += lower(rest_[at]);
        skip_tag(from + name.size());
        const auto known = std::ranges::lower_bound(breaks, std::string_view(name), {}, &Break::name);
        if (known != breaks.end() && known->name == name) add_break(name, known->text);
        if (name == "pre") preformatted_ = std::max(preformatted_ + (closes ? -1 : 1), 0);
        if (!closes && std::ranges::find(raw, name) != raw.end()) skip_element(name);
    }

    // Where two lines meet, one end is enough; each br is one.
    void add_break(std::string_view name, std::string_view text) {
        while (text_.ends_with(' ')) text_.pop_back();
        const bool is_there = text == "\n" && text_.ends_with('\n') && name != "br";
        if (!is_there) text_ += text;
    }

    // Past the attributes, whose values may hold a > when they are quoted.
    void skip_tag(std::size_t at) {
        bool is_value = false;
        for (; at < rest_.size() && rest_[at] != '>'; ++at) {
            const char byte = rest_[at];
            if (is_value && (byte == '"' || byte == '\'')) {
                at = std::min(rest_.find(byte, at + 1), rest_.size() - 1);
                is_value = false;
            } else if (!is_blank(byte)) {
                is_value = byte == '=';
            }
        }
        rest_.remove_prefix(std::min(at + 1, rest_.size()));
    }

    void skip_element(std::string_view name) {
        while (!rest_.empty()) {
            const std::size_t mark = std::min(rest_.find("</"), rest_.size());
            rest_.remove_prefix(mark);
            const std::string_view found = rest_.substr(std::min<std::size_t>(2, rest_.size()), name.size());
            if (std::ranges::equal(found, name, {}, lower)) return;
            rest_.remove_prefix(std::min<std::size_t>(2, rest_.size()));
        }
    }

    std::string_view rest_;
    std::string text_;
    int preformatted_ = 0;
};

}  // namespace

std::string html_text(std::string_view html) {
    return Page(html).text();
}

}  // namespace jobs::documents

#include "worker/cli/json.hpp"

#include "worker/cli/times.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace worker::cli {

namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

// Walks over a JSON text that is known to be well formed.
class Printer {
public:
    Printer(std::string_view json, std::size_t width) : json_(json), width_(width) {}

    std::string print() {
        print_value(0);
        return std::move(text_);
    }

private:
    void skip_blanks() {
        while (at_ < json_.size() && is_blank(json_[at_])) ++at_;
    }
    char peek() {
        skip_blanks();
        return at_ < json_.size() ? json_[at_] : '\0';
    }

    // The end of the value that starts at `from`, and its text without blanks between tokens.
    std::size_t compact(std::size_t from, std::string& out) const {
        int depth = 0;
        bool inside = false;
        std::size_t i = from;
        for (; i < json_.size(); ++i) {
            const char c = json_[i];
            if (inside) {
                out += c;
                if (c == '\\' && i + 1 < json_.size()) out += json_[++i];
                if (c == '"') inside = false;
            } else {
                if (is_blank(c)) continue;
                if (depth == 0 && (c == ',' || c == '}' || c == ']')) return i;
                if (c == '{' || c == '[') ++depth;
                if (c == '}' || c == ']') --depth;
                inside = c == '"';
                out += c;
                if (c == ':' || c == ',') out += ' ';
            }
        }
        return i;
    }

    void print_value(std::size_t indent) {
        const char first = peek();
        std::string line;
        const std::size_t end = compact(at_, line);
        if ((first != '{' && first != '[') || indent + line.size() <= width_) {
            text_ += line;
            at_ = end;
            return;
        }
        const char last = first == '{' ? '}' : ']';
        text_ += first;
        ++at_;
        for (bool begun = false; peek() != last && at_ < json_.size(); begun = true) {
            if (begun) {
                text_ += ',';
                ++at_;
                skip_blanks();
            }
            text_ += "\n" + std::string(indent + 2, ' ');
            if (first == '{') print_key();
            print_value(indent + 2);
        }
        text_ += "\n" + std::string(indent, ' ') + last;
        ++at_;
    }

    void print_key() {
        text_ += json_[at_++];
        while (at_ < json_.size() && json_[at_] != '"') {
            if (json_[at_] == '\\') text_ += json_[at_++];
            if (at_ < json_.size()) text_ += json_[at_++];
        }
        ++at_;
        text_ += "\": ";
        if (peek() == ':') ++at_;
    }

    std::string_view json_;
    std::size_t width_;
    std::size_t at_ = 0;
    std::string text_;
};

}  // namespace

JsonObject& JsonObject::add_json(std::string_view name, std::optional<std::string_view> json) {
    if (!fields_.empty()) fields_ += ", ";
    fields_ += json_text(name);
    fields_ += ": ";
    fields_ += json.value_or("null");
    return *this;
}

JsonObject& JsonObject::add_number(std::string_view name, double value) {
    return add_json(name, std::isfinite(value) ? fmt::format("{:.3f}", value) : "null");
}

JsonObject& JsonObject::add_time(std::string_view name, db::TimePoint value) {
    return add_json(name, json_text(show_exact_time(value)));
}

JsonObject& JsonObject::add_text(std::string_view name, std::string_view value) {
    return add_json(name, json_text(value));
}

std::string json_text(std::string_view text) {
    return boost::json::serialize(boost::json::string(text));
}

std::string json_array(const std::vector<std::string>& elements) {
    return fmt::format("[{}]", fmt::join(elements, ", "));
}

std::string json_texts(const std::vector<std::string>& texts) {
    std::vector<std::string> elements;
    for (const std::string& text : texts) elements.push_back(json_text(text));
    return json_array(elements);
}

std::string pretty_json(std::string_view json, std::size_t width) {
    return Printer(json, width).print();
}

}  // namespace worker::cli

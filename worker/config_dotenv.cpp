#include "worker/config_sources.hpp"
#include "worker/config_value.hpp"

#include <algorithm>
#include <sstream>
#include <string_view>

namespace worker {

namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trim(std::string_view text) {
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool is_variable_name(std::string_view name) {
    const auto letter = [](char c) { return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
    if (name.empty() || !letter(name.front())) return false;
    return std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '.'; });
}

// The value after the = sign. Empty result: a quote is not closed.
std::optional<std::string> parse_value(std::string_view text) {
    if (text.empty() || (text.front() != '"' && text.front() != '\'')) {
        const std::size_t comment = text.find(" #");
        return std::string(trim(text.substr(0, comment)));
    }
    const char quote = text.front();
    std::string value;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == quote) return value;
        const bool escaped = text[i] == '\\' && i + 1 < text.size() && (quote == '"' || text[i + 1] == '\'');
        if (escaped) {
            ++i;
            value += text[i] == 'n' && quote == '"' ? '\n' : text[i];
        } else {
            value += text[i];
        }
    }
    return {};
}

}  // namespace

std::vector<DotenvLine> parse_dotenv(const std::string& text, const std::string& file, std::vector<Problem>& problems) {
    std::vector<DotenvLine> lines;
    std::istringstream input(text);
    std::string raw;
    for (int number = 1; std::getline(input, raw); ++number) {
        std::string_view line = trim(raw);
        if (line.empty() || line.front() == '#') continue;
        if (line.starts_with("export ")) line = trim(line.substr(7));
        const std::size_t equals = line.find('=');
        const std::string_view name = trim(line.substr(0, equals));
        std::optional<std::string> value;
        if (equals != std::string_view::npos && is_variable_name(name))
            value = parse_value(trim(line.substr(equals + 1)));
        if (value) {
            lines.push_back({std::string(name), *std::move(value), number});
        } else {  // not quoted in the message: it may be a secret
            problems.push_back({"", file + ":" + std::to_string(number), "is not NAME=value, with quotes closed"});
        }
    }
    return lines;
}

}  // namespace worker

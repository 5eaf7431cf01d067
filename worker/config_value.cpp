#include "worker/config_value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace worker {

namespace {

struct Unit {
    std::string_view name;
    std::int64_t size;
};
constexpr std::array<Unit, 5> duration_units{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}
};
constexpr std::array<Unit, 3> size_units{
    {{"GiB", std::int64_t{1} << 30U}, {"MiB", std::int64_t{1} << 20U}, {"KiB", std::int64_t{1} << 10U}}
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
    T number{};
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size()) return {};
    return number;
}

// The largest unit that says the amount in whole numbers.
template <std::size_t n>
std::string show(std::int64_t amount, const std::array<Unit, n>& units, std::string_view zero_unit) {
    for (const Unit& unit : units) {
        if (amount != 0 && amount % unit.size == 0) return std::to_string(amount / unit.size) + std::string(unit.name);
    }
    return std::to_string(amount) + std::string(zero_unit);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    const auto unit_start = std::ranges::find_if(text, [](char c) { return !is_digit(c) && c != '.'; });
    const auto digits = static_cast<std::size_t>(unit_start - text.begin());
    const std::optional<double> number = parse_real(text.substr(0, digits));
    const std::string_view name = text.substr(digits).empty() ? "s" : text.substr(digits);
    const auto* unit = std::ranges::find(duration_units, name, &Unit::name);
    if (!number || unit == duration_units.end()) return {};
    const double milliseconds = *number * static_cast<double>(unit->size);
    constexpr double ten_years = 3'650.0 * 86'400'000;
    if (milliseconds > ten_years || (milliseconds > 0 && milliseconds < 1)) return {};
    return std::chrono::milliseconds(std::llround(milliseconds));
}

std::string show_duration(std::chrono::milliseconds duration) {
    return show(duration.count(), duration_units, "s");
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    const auto unit_start = std::ranges::find_if_not(text, is_digit);
    const auto digits = static_cast<std::size_t>(unit_start - text.begin());
    const auto number = parse_number<std::uint64_t>(text.substr(0, digits));
    if (!number || digits == text.size()) return number;
    const auto* unit = std::ranges::find(size_units, text.substr(digits), &Unit::name);
    if (unit == size_units.end()) return {};
    const auto factor = static_cast<std::uint64_t>(unit->size);
    if (*number > std::numeric_limits<std::uint64_t>::max() / factor) return {};
    return *number * factor;
}

std::string show_size(std::uint64_t bytes) {
    return show(static_cast<std::int64_t>(bytes), size_units, "");
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
    return parse_number<std::int64_t>(text);
}

std::optional<double> parse_real(std::string_view text) {
    if (text.empty() || !is_digit(text.front()) || !is_digit(text.back())) return {};
    if (!std::ranges::all_of(text, [](char c) { return is_digit(c) || c == '.'; })) return {};
    return parse_number<double>(text);
}

std::optional<bool> parse_boolean(std::string_view text) {
    std::string word(text);
    std::ranges::transform(word, word.begin(), lower);
    if (word == "true" || word == "yes" || word == "on" || word == "1") return true;
    if (word == "false" || word == "no" || word == "off" || word == "0") return false;
    return {};
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> items;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t to = std::min(text.find(',', from), text.size());
        const std::string_view item = text.substr(from, to - from);
        const std::size_t first = item.find_first_not_of(" \t");
        if (first != std::string_view::npos) {
            items.emplace_back(item.substr(first, item.find_last_not_of(" \t") - first + 1));
        }
        from = to + 1;
    }
    return items;
}

bool is_name(std::string_view text) {
    const auto letter_or_digit = [](char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); };
    if (text.empty() || text.size() > 100 || !letter_or_digit(text.front())) return false;
    return std::ranges::all_of(text, [&](char c) {
        return letter_or_digit(c) || std::string_view("-_.:/@").find(c) != std::string_view::npos;
    });
}

std::string find_url_problem(std::string_view text) {
    const std::size_t scheme = text.find("://");
    const std::string_view name = text.substr(0, scheme);
    if (scheme == std::string_view::npos || (name != "http" && name != "https")) {
        return in_quotes(text) + " is not a URL; write http://HOST:PORT/PATH or https://...";
    }
    const auto is_plain = [](char c) { return c > ' ' && c < '\x7F'; };
    if (!std::ranges::all_of(text, is_plain)) return in_quotes(text) + " has blanks or other letters than ASCII";
    const std::string_view authority = text.substr(scheme + 3, text.find_first_of("/?#", scheme + 3) - scheme - 3);
    if (authority.find('@') != std::string_view::npos) {
        return "has a user or a password, which do not belong here; let the API check the signature (secret_file)";
    }
    const std::size_t colon = authority.find(':', authority.starts_with('[') ? authority.find(']') : 0);
    const std::string_view host = authority.substr(0, colon);
    const auto port = colon == std::string_view::npos ? 1 : parse_integer(authority.substr(colon + 1)).value_or(0);
    if (host.empty()) return in_quotes(text) + " has no host";
    if (port < 1 || port > 65'535) return in_quotes(text) + " has no port from 1 to 65535";
    return {};
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
    const std::string* best = nullptr;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;  // farther ones are other words
    for (const std::string& candidate : known) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance > 1 && !word.starts_with(candidate.substr(0, 1)))
            continue;  // nobody mistypes the first letter, too
        if (distance < best_distance && distance < candidate.size()) {
            best = &candidate;
            best_distance = distance;
        }
    }
    return best == nullptr ? "" : *best;
}

std::string join(const std::vector<std::string>& items, std::string_view separator) {
    std::string joined;
    for (const std::string& item : items) {
        if (!joined.empty()) joined += separator;
        joined += item;
    }
    return joined;
}

std::string in_quotes(std::string_view text) {
    constexpr std::size_t longest = 60;
    std::string shown = "\"" + std::string(text.substr(0, longest)) + (text.size() > longest ? "..." : "") + "\"";
    std::ranges::replace_if(shown, [](char c) { return static_cast<unsigned char>(c) < ' '; }, '?');
    return shown;
}

}  // namespace worker

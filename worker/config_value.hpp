#pragma once

// Values as users write them: durations, sizes, numbers, names, and the nearest known word to a wrong one. Pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace worker {

// 500ms, 30s, 5m, 1h, 1d; a bare number is seconds; 1.5s works. Empty: not a duration, or beyond ten years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string show_duration(std::chrono::milliseconds duration);

// 64KiB, 1MiB, 2GiB, or plain bytes. Empty: not a size.
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string show_size(std::uint64_t bytes);

std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<double> parse_real(std::string_view text);     // not negative, no exponent
std::optional<bool> parse_boolean(std::string_view text);    // true, yes, on, 1 and their opposites, in any case
std::vector<std::string> split_list(std::string_view text);  // at commas; blanks around items and empty items go

// A name of a kind or a queue: letters, digits and - _ . : / @, first a letter or digit, at most 100 characters.
bool is_name(std::string_view text);

// What is wrong with a URL to call: http or https, a host, perhaps a port, no user and no password. Empty: nothing.
std::string find_url_problem(std::string_view text);

// The known word that `word` most likely means; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

std::string join(const std::vector<std::string>& items, std::string_view separator = ", ");

// The value for an error message: in double quotes, shortened, control characters as ?.
std::string in_quotes(std::string_view text);

}  // namespace worker

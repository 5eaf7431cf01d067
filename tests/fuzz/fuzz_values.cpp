// Whatever is written where a duration, a size, a number, a name or a time is wanted is understood, and shown so that
// it is understood as the same again, or refused.
#include "tests/fuzz/input.hpp"
#include "worker/cli/times.hpp"
#include "worker/config_value.hpp"

#include <algorithm>
#include <chrono>

namespace {

void check_time(std::string_view text) {
    const auto time = worker::cli::parse_time(text);
    if (!time) return;
    const auto again = worker::cli::parse_time(worker::cli::show_exact_time(*time));
    // An offset may carry the first and last day of all beyond the years of four digits.
    const auto year = std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(*time)).year();
    if (year < std::chrono::year(0) || year > std::chrono::year(9999)) return;
    tests::expect(again && *again == std::chrono::floor<std::chrono::milliseconds>(*time));
    tests::expect(worker::cli::parse_time(worker::cli::show_time(*time)).has_value());
}

void check_list(std::string_view text) {
    const auto items = worker::split_list(text);
    tests::expect(std::ranges::none_of(items, [](const std::string& item) { return item.empty(); }));
    tests::expect(worker::split_list(worker::join(items)) == items);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = tests::text_of(data, size);
    if (const auto duration = worker::parse_duration(text)) {
        tests::expect(worker::parse_duration(worker::show_duration(*duration)) == duration);
        tests::expect(!worker::cli::show_span(*duration).empty());
    }
    if (const auto bytes = worker::parse_size(text)) {
        if (*bytes <= INT64_MAX) tests::expect(worker::parse_size(worker::show_size(*bytes)) == bytes);
    }
    if (const auto real = worker::parse_real(text)) tests::expect(*real >= 0);
    if (const auto number = worker::parse_integer(text)) {
        tests::expect(worker::parse_integer(std::to_string(*number)) == number);
    }
    if (worker::is_name(text)) tests::expect(!worker::parse_boolean(text) || text.size() <= 5);
    check_time(text);
    check_list(text);
    const std::string shown = worker::in_quotes(text);
    tests::expect(shown.size() < 70 && shown.find('\n') == std::string::npos);
    return 0;
}

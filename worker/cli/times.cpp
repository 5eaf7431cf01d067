#include "worker/cli/times.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace worker::cli {

using namespace std::chrono;

namespace {

// Reads a text from its beginning on.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}

    // Exactly so many digits.
    std::optional<int> number(std::size_t digits) {
        int value = 0;
        if (rest_.size() < digits) return {};
        const char* end = rest_.data() + digits;
        const auto read = std::from_chars(rest_.data(), end, value);
        if (read.ec != std::errc{} || read.ptr != end || value < 0) return {};
        rest_.remove_prefix(digits);
        return value;
    }
    // One character of `any`; 0 when another one, or none, follows.
    char take(std::string_view any) {
        if (rest_.empty() || any.find(rest_.front()) == std::string_view::npos) return 0;
        const char taken = rest_.front();
        rest_.remove_prefix(1);
        return taken;
    }
    // Digits after the point, as microseconds.
    std::optional<microseconds> fraction() {
        int value = 0;
        int digits = 0;
        while (const char digit = take("0123456789")) {
            if (++digits <= 6) value = value * 10 + (digit - '0');
        }
        if (digits == 0) return {};
        for (int i = digits; i < 6; ++i) value *= 10;
        return microseconds(value);
    }
    bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

// HH:MM, HHMM or HH, below 24 hours.
std::optional<minutes> read_zone(Reader& reader) {
    const std::optional<int> hour = reader.number(2);
    if (!hour || *hour > 23) return {};
    if (reader.at_end()) return hours(*hour);
    reader.take(":");
    const std::optional<int> minute = reader.number(2);
    if (!minute || *minute > 59) return {};
    return hours(*hour) + minutes(*minute);
}

std::optional<microseconds> read_clock(Reader& reader) {
    const std::optional<int> hour = reader.number(2);
    if (!hour || *hour > 23 || reader.take(":") == 0) return {};
    const std::optional<int> minute = reader.number(2);
    if (!minute || *minute > 59) return {};
    microseconds time = hours(*hour) + minutes(*minute);
    if (reader.take(":") == 0) return time;
    const std::optional<int> second = reader.number(2);
    if (!second || *second > 59) return {};
    time += seconds(*second);
    if (reader.take(".,") == 0) return time;
    const std::optional<microseconds> fraction = reader.fraction();
    if (!fraction) return {};
    return time + *fraction;
}

}  // namespace

// By seconds: as a time point of the system's clock, nanoseconds, a time after 2262 is out of range.
std::string show_time(db::TimePoint time) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", fmt::gmtime(floor<seconds>(time).time_since_epoch().count()));
}

std::string show_exact_time(db::TimePoint time) {
    const auto whole = floor<seconds>(time);
    const auto rest = duration_cast<milliseconds>(time - whole).count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(whole.time_since_epoch().count()), rest);
}

std::optional<db::TimePoint> parse_time(std::string_view text) {
    Reader reader(text);
    const std::optional<int> years = reader.number(4);
    if (!years || reader.take("-") == 0) return {};
    const std::optional<int> months_ = reader.number(2);
    if (!months_ || reader.take("-") == 0) return {};
    const std::optional<int> days_ = reader.number(2);
    if (!days_) return {};
    const year_month_day date{year(*years), month(static_cast<unsigned>(*months_)), day(static_cast<unsigned>(*days_))};
    if (!date.ok()) return {};
    db::TimePoint time = sys_days(date);
    if (reader.at_end()) return time;

    if (reader.take("Tt ") == 0) return {};
    const std::optional<microseconds> clock = read_clock(reader);
    if (!clock) return {};
    time += *clock;
    if (reader.at_end()) return time;
    const char zone = reader.take("Zz+-");
    if (zone == '+' || zone == '-') {
        const std::optional<minutes> offset = read_zone(reader);
        if (!offset) return {};
        time += zone == '+' ? -*offset : *offset;
    }
    if (zone == 0 || !reader.at_end()) return {};
    return time;
}

std::string show_short_span(milliseconds span) {
    struct Unit {
        const char* name;
        double of_next;  // so many make the next unit
    };
    constexpr std::array<Unit, 5> units{{{"ms", 1000}, {"s", 60}, {"min", 60}, {"h", 24}, {"d", 1e9}}};
    auto value = static_cast<double>(std::max<std::int64_t>(span.count(), 0));
    std::size_t unit = 0;
    while (std::round(value) >= units.at(unit).of_next) value /= units.at(unit++).of_next;
    const double tenths = std::round(value * 10) / 10;
    const bool whole = tenths >= 10 || tenths == std::floor(tenths);
    return fmt::format("{:.{}f} {}", value, whole ? 0 : 1, units.at(unit).name);
}

std::string show_span(milliseconds span) {
    const std::int64_t ms = std::max<std::int64_t>(span.count(), 0);
    const std::int64_t s = (ms + 500) / 1000;
    if (ms < 1000) return fmt::format("{} ms", ms);
    if (ms < 9'950 && ms % 1000 != 0) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000);
    if (s < 60) return fmt::format("{} s", s);
    if (s < 3'600) return s % 60 == 0 ? fmt::format("{} min", s / 60) : fmt::format("{} min {} s", s / 60, s % 60);
    const std::int64_t min = s / 60;
    if (min < 24 * 60)
        return min % 60 == 0 ? fmt::format("{} h", min / 60) : fmt::format("{} h {} min", min / 60, min % 60);
    const std::int64_t h = min / 60;
    return h % 24 == 0 ? fmt::format("{} d", h / 24) : fmt::format("{} d {} h", h / 24, h % 24);
}

}  // namespace worker::cli

#pragma once

// Times and spans of time as people and JSON see them. Pure.

#include "db/rows.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace worker::cli {

// 2026-01-31T12:00:00Z: UTC, ISO 8601.
std::string show_time(db::TimePoint time);
// With milliseconds, for JSON.
std::string show_exact_time(db::TimePoint time);

// 2026-01-31T12:00:00Z, with +02:00 in place of Z, with fractions of a second, without seconds, or with a blank for the
// T; without a zone it is UTC. A date alone is its midnight. Empty: not a time.
std::optional<db::TimePoint> parse_time(std::string_view text);

// In 7 characters at most: 850 ms, 2.5 s, 42 s, 3.1 min, 2.2 h, 364 d.
std::string show_short_span(std::chrono::milliseconds span);

// 850 ms, 2.5 s, 42 s, 3 min 5 s, 2 h 10 min, 3 d 4 h.
std::string show_span(std::chrono::milliseconds span);

}  // namespace worker::cli

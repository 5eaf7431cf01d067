#pragma once

// How a log line looks. Pure.

#include "worker/logging.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace worker {

struct LogLine {
    std::chrono::system_clock::time_point time;
    std::string_view level;
    std::string_view message;
    const Fields* fields = nullptr;
    std::string_view component = "worker";
};

// {"time":"2026-11-21T08:00:00.000Z","level":"info","component":"worker","message":"...",...} and a line's end.
std::string to_json_line(const LogLine& line);

// 2026-11-21T08:00:00.000Z info  message  key=value and a line's end; values with blanks in double quotes.
std::string to_text_line(const LogLine& line);

}  // namespace worker

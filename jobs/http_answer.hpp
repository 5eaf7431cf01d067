#pragma once

// What comes of an answer over HTTP. Pure.
//
//   2xx              complete, with the body as result: JSON as it is, any other text as a JSON string, none without
//   410              discard
//   429, 503         snooze, where Retry-After says for how long: seconds, or a date; a year at most
//   any other        retry; a redirect is not followed
//
// A body over its limit is a discard where it would be the result. The error text is the status and the body's start.

#include "jobs/outcome.hpp"

#include <cstddef>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace jobs {

struct HttpAnswer {
    int status = 0;
    std::string reason{};                      // of the status line: Not Found
    std::optional<std::string> retry_after{};  // headers, as they came
    std::string location{};
    std::string body{};
    bool is_cut = false;  // the body is longer than what was kept
};

// `now` is what a date in Retry-After counts from.
Outcome outcome_of(const HttpAnswer& answer, std::size_t result_limit, std::time_t now);

// Bytes of a body that matter for an answer with this status.
std::size_t body_limit(int status, std::size_t result_limit);

}  // namespace jobs

#pragma once

// What jobs died of, for people. Pure.

#include "queue/read_job.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace worker::cli {

// The line of an error that says most: the last one with a word in it that is not indented, such as the last line of a
// Python traceback. All are indented: the last one with a word. None has a word: the whole text.
std::string telling_line(std::string_view error);

// A job's failures, a paragraph each: "attempt 1, 2026-01-31T12:00:00Z: <error>". Of one that equals `shown`, which
// stands elsewhere already, the telling line alone. `errors`: JSON as queue::JobDetails has it; what is not of this
// form comes back as it is.
std::string failures_text(std::string_view errors, std::string_view shown);

// How many attempts a job has: the handler's own limit, where it has one, goes before that of the enqueue call.
int attempts_in_force(const queue::JobDetails& job, std::optional<int> handler_limit);

// Why a discarded job was discarded, as far as its row tells. `handler_limit`: of attempts, where known.
std::string discard_reason(const queue::JobDetails& job, std::optional<int> handler_limit);

}  // namespace worker::cli

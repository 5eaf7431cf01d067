#pragma once

// From a handler's outcome to what is written. Pure.

#include "jobs/context.hpp"
#include "jobs/handler.hpp"
#include "jobs/outcome.hpp"
#include "queue/finish.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace worker {

// The attempt that ended.
struct Attempt {
    int n = 0;  // the job's number in its bundle
    int attempt = 1;
    int max_attempts = 20;
    jobs::StopReason stopped = jobs::StopReason::none;
};

struct VerdictLimits {
    std::size_t result = std::size_t{64} * 1024;
    std::size_t error = std::size_t{8} * 1024;
};

// How the job leaves its row; nothing when it completed without a result. The last allowed attempt is discarded
// instead of retried; a job that was asked to stop by a cancel is cancelled unless it completed. A result that is too
// large is a discard that says so. Errors are capped, and made valid UTF-8 without NUL.
// `random` is uniform in [0, 1), for the backoff's jitter.
std::optional<queue::Leaver> verdict(
    jobs::Outcome outcome,
    const Attempt& attempt,
    const jobs::KindPolicy& policy,
    const VerdictLimits& limits,
    double random
);

// What is wrong with a result: it is too large. Nothing when it can be stored.
std::optional<std::string> result_problem(std::string_view result, const VerdictLimits& limits);

// Valid UTF-8 without NUL, at most `limit` bytes: what is broken is replaced, what is too long loses its middle.
std::string clean_text(std::string_view text, std::size_t limit);

}  // namespace worker

#pragma once

// The pure rules of a job's life: what follows an attempt, how long to wait, and what states are called.

#include "queue/finish.hpp"

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

namespace queue {

// As stored in bundles.state, finished_bundles.state and, for discarded, as a row of dead_jobs.
enum class State : std::int16_t {
    scheduled = 0,
    available = 1,
    running = 2,
    retryable = 3,
    suspect = 4,  // available, but to be run alone
    completed = 5,
    cancelled = 6,
    discarded = 7,
};

// The word that people read. A suspect is available to them.
std::string_view state_name(State state);
// The state of that name; empty for an unknown one. Never suspect.
std::optional<State> state_named(std::string_view name);
constexpr bool is_finished(State state) {
    return state >= State::completed;
}

// What a failed attempt leads to: a retry, or, when it was the last that is allowed, a discard.
constexpr Leave after_failure(int attempt, int max_attempts) {
    return attempt < max_attempts ? Leave::retry : Leave::discard;
}

// How the delays of a kind's retries grow.
enum class BackoffPolicy {
    exponential,  // first, first * factor, first * factor^2, ..
    polynomial,   // first, first * 2^power, first * 3^power, ..
    fixed,        // first, every time
    list,         // the delays one after the other, and the last of them from then on
};

// How long to wait before a job runs again.
struct Backoff {
    BackoffPolicy policy = BackoffPolicy::exponential;
    std::chrono::milliseconds first{1'000};    // before the second attempt
    std::chrono::milliseconds cap{3'600'000};  // of every policy
    double factor = 2.0;
    double power = 2.0;
    double jitter = 0.1;                              // of the delay, either way
    std::vector<std::chrono::milliseconds> delays{};  // of the list; none counts as `first`
};

// The delay after the given failed attempt (counted from 1). `random` is uniform in [0, 1). Never negative, and above
// the cap only by the jitter.
std::chrono::milliseconds backoff_delay(const Backoff& backoff, int attempt, double random);

}  // namespace queue

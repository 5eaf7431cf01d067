#pragma once

// What comes of a job that a program took from a stream (jobs/stream.hpp). Pure.

#include "jobs/context.hpp"
#include "jobs/outcome.hpp"
#include "jobs/process.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace jobs {

// How one job in a stream ended. A program that answered, once and without being stopped, lives on; in every other case
// it was ended first, and `exit` says how.
struct StreamEnding {
    std::optional<Outcome> answer{};
    bool answered_twice = false;
    StopReason stopped = StopReason::none;  // why the worker stopped it
    std::chrono::milliseconds timeout{0};   // how long it was allowed, when that is why
    std::string hung_up{};                  // the stream that it closed, for which the worker ended it
    ProcessExit exit{};
    std::string log_tail{};  // its last lines about this job, put behind the error text
};

// The outcome, the first that applies:
//
//   1  the worker stopped it: as for a program of its own; for a worker that stops a job counts that was completed
//   2  it answered twice: retry, since its answers cannot be told apart any more
//   3  its answer
//   4  it closed a stream, or ended, before it answered: retry, whatever its exit code
Outcome outcome_of(StreamEnding ending);

}  // namespace jobs

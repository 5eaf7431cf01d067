#pragma once

// How a program speaks to the worker: lines of its standard output and its way of ending. Pure.
//
// A line of stdout that is a JSON object whose only member is one of these is a message; all else is log. A message may
// name its job besides, {"id": 128, "result": ANY}; with the id of another job it is a retry that says so.
//
//   {"progress": 40}                                             percent
//   {"progress": {"done": 3, "total": 10, "message": "page 3"}}  total and message may be missing
//   {"result": ANY}                                              kept when the attempt completes; the last one counts
//   {"retry": "why"}    {"retry": {"after": 30, "error": "why"}} again; seconds; without `after` the kind's backoff
//   {"snooze": 30}      {"snooze": {"for": 30, "reason": "why"}} again after so many seconds, attempt refunded
//   {"discard": "why"}  {"discard": {"error": "why"}}            never again
//   {"done": true}                                               the answer without a result, for jobs/stream.hpp;
//                                                                means nothing here, so that a program can be both
//
// The outcome, the first that applies:
//
//   1  the worker stopped the program: cancelled is a cancel, timeout a retry; a lost lease or a worker that stops are
//      a retry too, which the worker turns into nothing and into a release. Only for a worker that stops: a program
//      that still printed its result and exited 0 completes
//   2  a signal ended it: retry
//   3  it said retry, snooze or discard: that, whatever the exit code; the last one counts. One that cannot be
//      understood is a retry which says so: taking it for a log line could complete a job that asked for the opposite
//   4  exit 0: complete, with the result; discard when the result is over its limit, retry when it is broken
//   5  exit 65 (EX_DATAERR): discard; exit 75 (EX_TEMPFAIL): snooze for 60 s; any other: retry

#include "jobs/context.hpp"
#include "jobs/outcome.hpp"
#include "jobs/process.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace jobs {

struct LogLine {
    std::string warning;  // what is wrong with a line that looks like a message; empty for ordinary log
};
struct Done {};
struct OnSuccess {  // what exit 0 comes to: complete with a result, or why that cannot be
    Outcome outcome;
    bool broken = false;  // the line could not be understood
};
struct Verdict {  // what comes of the attempt, whatever the exit code
    Outcome outcome;
    bool broken = false;
};
using Message = std::variant<LogLine, Progress, Done, OnSuccess, Verdict>;

// Reads one line of a program's standard output, of which `left_out` bytes were too many to keep. `job` is the one that
// an id must be of; empty: any. Broken UTF-8 in the line counts as U+FFFD.
Message read_line(
    std::string_view line, std::size_t left_out, std::size_t result_limit, std::optional<queue::JobId> job = {}
);

// What a program has said and how it ended.
struct Ending {
    ProcessExit exit;
    Outcome on_success = Complete{};
    std::optional<Outcome> verdict{};
    StopReason stopped = StopReason::none;  // why the worker stopped it
    std::chrono::milliseconds timeout{0};   // how long it was allowed, when that is why
    std::string log_tail{};                 // its last lines, put behind the error text
};

Outcome outcome_of(Ending ending);

// The outcome of an attempt that was told to stop.
Outcome outcome_of_stop(StopReason reason, std::chrono::milliseconds timeout);

// "exit code 3", or "killed by SIGSEGV".
std::string exit_text(ProcessExit exit);
// An error text with the log's last lines below it, if there are any.
std::string with_tail(std::string error, const std::string& tail);

}  // namespace jobs

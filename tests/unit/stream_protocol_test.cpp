#include "jobs/stream_protocol.hpp"

#include "jobs/restarts.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/outcome_text.hpp"

#include <signal.h>

using namespace jobs;
using namespace std::chrono_literals;
using tests::outcome_text;

TEST_CASE("a stream's outcome is decided by stop, number of answers, answer and end, in this order", "[jobs][stream]") {
    const Outcome result = Complete{boost::json::value(1)};
    const Outcome retry = Retry{"busy", {}};
    struct Row {
        std::string rule;
        StreamEnding ending;
        std::string expected;
    };
    const auto row = GENERATE_COPY(values<Row>({
        {"an answer", {.answer = result, .log_tail = "note"}, "complete 1"},
        {"an answer over the end", {.answer = result, .exit = {3, 0}}, "complete 1"},
        {"two answers", {.answer = result, .answered_twice = true}, "retry: the program answered the job more than once"
        },
        {"cancel over the answer",
         {.answer = result, .stopped = StopReason::cancelled},
         "cancel: cancelled while it ran"},
        {"timeout over the answer",
         {.answer = result, .stopped = StopReason::timeout, .timeout = 1500ms, .log_tail = "slow"},
         "retry: timed out after 1.5 s\nslow"},
        {"shutdown keeps a completed job", {.answer = result, .stopped = StopReason::shutdown}, "complete 1"},
        {"but not two answers",
         {.answer = result, .answered_twice = true, .stopped = StopReason::shutdown},
         "retry: stopped: the worker stops"},
        {"nor a failed one", {.answer = retry, .stopped = StopReason::shutdown}, "retry: stopped: the worker stops"},
        {"shutdown without an answer", {.stopped = StopReason::shutdown}, "retry: stopped: the worker stops"},
        {"exit code 0", {.exit = {0, 0}}, "retry: the program ended before it answered: exit code 0"},
        {"exit code 65 with log",
         {.exit = {65, 0}, .log_tail = "bad file"},
         "retry: the program ended before it answered: exit code 65\nbad file"},
        {"a signal", {.exit = {0, SIGSEGV}}, "retry: the program ended before it answered: killed by SIGSEGV"},
        {"a closed stream, ended for it",
         {.hung_up = "standard input", .exit = {0, SIGTERM}},
         "retry: the program closed its standard input before it answered"},
        {"a closed stream, ended by itself",
         {.hung_up = "standard input", .exit = {3, 0}},
         "retry: the program ended before it answered: exit code 3"},
    }));
    INFO(row.rule);
    CHECK(outcome_text(outcome_of(row.ending)) == row.expected);
}

TEST_CASE(
    "Restarts pauses longer after each start that came to nothing, and forgets them after one that did not",
    "[jobs][stream]"
) {
    Restarts restarts;
    Restarts::Time now{std::chrono::hours(1)};
    CHECK(restarts.next() <= now);
    for (const auto pause : {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 10000ms, 10000ms}) {
        restarts.failed(now);
        CHECK(restarts.next() == now + pause);
        now = restarts.next();
    }
    restarts.succeeded();
    restarts.failed(now);
    CHECK(restarts.next() == now + 100ms);
}

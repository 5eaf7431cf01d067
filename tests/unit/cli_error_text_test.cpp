// What jobs died of, and what they wait for, in words.

#include "queue/workers.hpp"
#include "tests/support/catch.hpp"
#include "worker/cli/error_text.hpp"
#include "worker/cli/kinds.hpp"
#include "worker/cli/terminal.hpp"

#include <optional>
#include <string>
#include <vector>

using namespace worker::cli;

TEST_CASE("telling_line takes the last line that says something", "[worker][cli]") {
    struct Case {
        const char* error;
        const char* line;
    };
    const auto [error, line] = GENERATE(
        Case{"no disk", "no disk"},
        Case{
            "exit code 1\nTraceback (most recent call last):\n  File \"a.py\", line 3\nValueError: no\n\n",
            "ValueError: no"
        },
        Case{"exit code 1\nError: no\n    at main (x.js:1)\n    at run (x.js:9)\n\nNode.js v18.13.0\n", "Error: no"},
        Case{"exit code 1\nboom\n)\n---\n", "boom"},
        Case{"  at a\n\tat b", "at b"},
        Case{"\r\nlast\r", "last\r"},
        Case{"...", "..."},
        Case{"", ""}
    );
    CHECK(telling_line(error) == line);
}

TEST_CASE("failures_text writes attempt, time and text, and what stands above once", "[worker][cli]") {
    const std::string errors =
        R"([{"attempt" : 1, "at" : "2026-01-31T12:00:00.5+00:00", "error" : "exit code 1\nfirst"},)"
        R"({"attempt" : 2, "at" : "2026-01-31T12:00:09+00:00", "error" : "exit code 1\nlast\u001b[31m"}])";
    CHECK(
        failures_text(errors, "") ==
        "attempt 1, 2026-01-31T12:00:00Z: exit code 1\nfirst\n"
        "attempt 2, 2026-01-31T12:00:09Z: exit code 1\nlast?[31m"
    );
    CHECK(
        failures_text(errors, "exit code 1\nfirst") ==
        "attempt 1, 2026-01-31T12:00:00Z: first\n"
        "attempt 2, 2026-01-31T12:00:09Z: exit code 1\nlast?[31m"
    );
    CHECK(failures_text("[]", "").empty());
    CHECK(failures_text("[1]", "") == "[1]");
    CHECK(failures_text(R"({"a":1})", "") == R"({"a":1})");
}

TEST_CASE("printable_lines keeps the lines and nothing that steers the terminal", "[worker][cli]") {
    CHECK(printable_lines("a\n\nb\033c\n") == "a\n\nb?c");
}

TEST_CASE("discard_reason tells used up attempts from a final answer", "[worker][cli]") {
    struct Case {
        int attempt;
        int max_attempts;
        std::optional<int> handler_limit;
        const char* error;
        const char* reason;
    };
    const auto [attempt, max_attempts, handler_limit, error, reason] = GENERATE(
        Case{20, 20, {}, "exit code 1", "its attempts are used up: on attempt 20 of 20"},
        Case{3, 20, 3, "exit code 1", "its attempts are used up: on attempt 3 of 3"},
        Case{1, 20, 3, "no such order", "its handler discarded it, on attempt 1 of 3"},
        Case{1, 20, {}, "no", "on attempt 1 of 20: its handler discarded it, or allows no more than 1"},
        Case{1, 20, {}, "exit code 65\nno fives", "exit code 65 discards, on attempt 1 of 20"},
        Case{1, 20, {}, "quarantined: 3 workers died while it ran alone", "its workers died while it ran"},
        Case{1, 20, 3, "the result has 9 bytes; limits.result is 5", "its result is larger than limits.result"}
    );
    queue::JobDetails job;
    job.attempt = attempt;
    job.max_attempts = max_attempts;
    job.error = error;
    CHECK(discard_reason(job, handler_limit) == reason);
}

TEST_CASE("why_unserved names what no live worker has: a handler, the queue, or both at once", "[worker][cli]") {
    const auto worker = [](std::vector<std::string> kinds, std::vector<std::string> queues) {
        queue::Worker one;
        one.kinds = std::move(kinds);
        one.queues = std::move(queues);
        return one;
    };
    const auto why = [](const std::vector<queue::Worker>& workers) { return why_unserved("x", "mail", workers); };
    queue::Worker dead = worker({"x"}, {"mail"});
    dead.dead_at = db::TimePoint{};
    CHECK(why({}).starts_with("no worker is running: "));
    CHECK(why({dead}).starts_with("no worker is running: "));
    CHECK(why({dead, worker({"y"}, {"mail"})}).starts_with("no live worker has a handler for `x`: "));
    CHECK(why({worker({"x"}, {"default"})}).starts_with("no live worker serves the queue `mail`: "));
    CHECK(why({worker({"x"}, {"default"}), worker({"y"}, {"mail"})})
              .starts_with("no live worker that serves the queue `mail` has a handler for `x`: "));
    CHECK(why({worker({"x"}, {})}).empty());  // serves all
    CHECK(why({worker({"y"}, {"mail"}), worker({"y", "x"}, {"default", "mail"})}).empty());
}

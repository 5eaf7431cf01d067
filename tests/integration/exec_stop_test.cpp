// The exec handler: how a program is stopped.

#include "jobs/exec.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exec_run.hpp"
#include "tests/support/process_end.hpp"

#include <memory>
#include <sstream>
#include <thread>

using namespace jobs;
using namespace tests;
using namespace std::chrono_literals;

TEST_CASE("exec ends a program at its deadline with SIGTERM", "[jobs][exec]") {
    Seen seen;
    JobContext context(a_job(), seen.hooks());
    context.set_deadline(std::chrono::steady_clock::now() + 300ms);
    const std::string outcome =
        run_in(context, sh("trap 'echo asked; exit 0' TERM; echo working >&2; while :; do :; done"));
    CHECK(outcome.starts_with("retry: timed out after 0."));
    CHECK(outcome.ends_with(" s\nworking"));
    CHECK(seen.log == Lines{"w working", "i asked"});
}

TEST_CASE("exec kills a program that ignores SIGTERM, its children included", "[jobs][exec]") {
    Seen seen;
    JobContext context(a_job(), seen.hooks());
    seen.on_line = [&](std::string_view) { context.request_stop(StopReason::timeout); };
    ExecSpec spec = sh("trap '' TERM; sleep 3600 & echo $! $$; while :; do sleep 3600; done");
    spec.kill_after = 100ms;
    CHECK(run_in(context, spec).starts_with("retry: timed out after"));
    REQUIRE(seen.log.size() == 1);
    std::istringstream pids(seen.log[0].substr(2));
    pid_t child = 0;
    pid_t leader = 0;
    pids >> child >> leader;
    CHECK(ends(child));
    CHECK(ends(leader));
}

TEST_CASE("exec obeys a stop token that fires on another thread", "[jobs][exec]") {
    struct Row {
        StopReason reason;
        std::string expected;
    };
    const auto row = GENERATE(values<Row>({
        {StopReason::cancelled, "cancel: cancelled while it ran"},
        {StopReason::lease_lost, "retry: stopped: the lease is lost\nup"},
        {StopReason::shutdown, "retry: stopped: the worker stops\nup"},
    }));
    Seen seen;
    JobContext context(a_job(), seen.hooks());
    std::jthread stopper;
    seen.on_line = [&](std::string_view) { stopper = std::jthread([&] { context.request_stop(row.reason); }); };
    CHECK(run_in(context, sh("echo up >&2; exec sleep 3600")) == row.expected);
}

TEST_CASE("exec stops even a stopped program", "[jobs][exec]") {
    Seen seen;
    JobContext context(a_job(), seen.hooks());
    seen.on_line = [&](std::string_view) { context.request_stop(StopReason::cancelled); };
    ExecSpec spec = sh("trap 'exit 0' TERM; echo up; kill -STOP $$; sleep 3600");
    spec.kill_after = 3600s;
    CHECK(run_in(context, spec) == "cancel: cancelled while it ran");
}

TEST_CASE("exec does not start a program for a job that is stopped already", "[jobs][exec]") {
    const auto counters = std::make_shared<ProgramCounters>();
    const Handler handler = make_exec_handler(sh("exit 0"), counters);
    JobContext context(a_job());
    context.request_stop(StopReason::cancelled);
    CHECK(outcome_text(tests::run([&] { return handler(context); })) == "cancel: cancelled while it ran");
    CHECK(counters->started == 0);
}

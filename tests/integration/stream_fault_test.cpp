// The stream handler: programs that misbehave, and jobs that are stopped.

#include "jobs/stream.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/process_end.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/stream_run.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/asio/co_spawn.hpp>

#include <sys/wait.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

using namespace jobs;
using namespace tests;
using namespace std::chrono_literals;

namespace {

// A program that does this with its first job, in place of an answer or before it, and then answers.
std::string once(const TemporaryFolder& folder, const std::string& script) {
    const std::string mark = folder.path() + "/done";
    return "while read -r job; do if [ ! -e " + mark + " ]; then : >" + mark + "; " + script +
           "\nfi; echo '{\"done\":true}'; done";
}

}  // namespace

TEST_CASE("a stream's program that fails a job is replaced", "[jobs][stream]") {
    struct Row {
        std::string does;
        std::string expected;
    };
    const std::string not_understood =
        "line cannot be understood: give seconds or {\"for\": seconds, \"reason\": \"why\"}";
    const auto row = GENERATE_COPY(values<Row>({
        {"echo boom >&2; exit 3", "retry: the program ended before it answered: exit code 3\nboom"},
        {"exit 65", "retry: the program ended before it answered: exit code 65"},
        {"kill -SEGV $$", "retry: the program ended before it answered: killed by SIGSEGV"},
        {"exec >&-; exec sleep 3600", "retry: the program closed its standard output before it answered"},
        {"exec >&-; trap '' TERM; while :; do sleep 3600; done",
         "retry: the program closed its standard output before it answered"},
        {"echo '{\"result\": {'", "retry: the program's \"result\" line is not JSON: incomplete JSON"},
        {"echo '{\"snooze\": \"soon\"}'", "retry: the program's \"snooze\" " + not_understood},
        {"echo '{\"id\": 128, \"result\": 1}'", "retry: the program answered for job 128, but it was given job 256"},
        {"echo '{\"id\": 128, \"progress\": 1}'", "retry: the program answered for job 128, but it was given job 256"},
        {"printf '{\"result\":1}\\n{\"result\":2}\\n'", "retry: the program answered the job more than once"},
        {"printf '{\"id\":128,\"progress\":1}\\n{\"done\":true}\\n'",
         "retry: the program answered for job 128, but it was given job 256"},
    }));
    INFO(row.does);
    const TemporaryFolder folder;
    ExecSpec spec = sh(once(folder, row.does));
    spec.kill_after = 50ms;
    StreamRun stream(spec);
    CHECK(stream.run() == row.expected);
    CHECK(stream.run() == "complete");
    CHECK(stream.counters->started == 2);
    stream.close();
    CHECK(stream.counters->running == 0);
}

TEST_CASE("a stream's program that closes its input gets no large job through", "[jobs][stream]") {
    StreamRun stream("head -c 100 >/dev/null; exec <&-; exec sleep 3600");
    const std::string large(std::size_t{1} << 20U, 'x');
    CHECK(
        stream.run(nullptr, "[\"" + large + "\"]") == "retry: the program closed its standard input before it answered"
    );
}

TEST_CASE("an answer that comes too late is never taken for that to the next job", "[jobs][stream]") {
    const TemporaryFolder folder;
    const std::string late = folder.path() + "/late";
    const std::string said = folder.path() + "/said";
    REQUIRE(std::system(("mkfifo " + late + " " + said).c_str()) == 0);
    StreamRun stream(once(
        folder,
        "echo '{\"result\":\"first\"}'; read -r word <" + late + "; echo '{\"result\":\"late\"}'; echo >" + said +
            "; read -r job"
    ));
    CHECK(stream.run() == "complete \"first\"");
    std::ofstream(late) << "speak\n";
    std::string word;
    std::getline(std::ifstream(said), word);
    Seen seen;
    CHECK(stream.run(&seen) == "complete");
    CHECK(seen.log == Lines{"w the program spoke when it had no job: another takes its place"});
    CHECK(stream.counters->started == 2);
}

TEST_CASE("a stream's program that cannot be started is a retry, and the next start waits", "[jobs][stream]") {
    ExecSpec spec;
    SECTION("it does not exist") {
        spec.command = {"/no/such/program"};
        StreamRun stream(spec);
        CHECK(stream.run() == "retry: cannot run /no/such/program: No such file or directory");
    }
    SECTION("it dies at once") {
        StreamRun stream("echo 'no module named x' >&2; exit 1");
        const auto begin = std::chrono::steady_clock::now();
        for (int attempt = 0; attempt < 3; ++attempt) {
            CHECK(stream.run() == "retry: the program ended before it answered: exit code 1\nno module named x");
        }
        CHECK(std::chrono::steady_clock::now() - begin >= 300ms);  // 100 and 200 ms between the three
    }
    SECTION("a job that is stopped does not wait for it") {
        StreamRun stream("exit 1");
        for (int attempt = 0; attempt < 2; ++attempt) stream.run();
        JobContext job(a_job());
        boost::asio::post(stream.context, [&] { job.request_stop(StopReason::cancelled); });
        CHECK(stream.run_in(job) == "cancel: cancelled while it ran");
        JobContext timed(a_job());
        timed.set_deadline(std::chrono::steady_clock::now());
        CHECK(stream.run_in(timed).starts_with("retry: timed out after"));
        CHECK(stream.counters->started == 2);
    }
}

TEST_CASE("a stopped job ends its stream's program", "[jobs][stream]") {
    struct Row {
        StopReason reason;
        std::string expected;
    };
    const auto row = GENERATE(values<Row>({
        {StopReason::cancelled, "cancel: cancelled while it ran"},
        {StopReason::timeout, "retry: timed out after 0 s\nup"},
        {StopReason::lease_lost, "retry: stopped: the lease is lost\nup"},
        {StopReason::shutdown, "retry: stopped: the worker stops\nup"},
    }));
    const TemporaryFolder folder;
    StreamRun stream(once(folder, "echo up >&2; exec sleep 3600"));
    Seen seen;
    JobContext job(a_job(), seen.hooks());
    std::jthread stopper;
    seen.on_line = [&](std::string_view) { stopper = std::jthread([&] { job.request_stop(row.reason); }); };
    CHECK(stream.run_in(job) == row.expected);
    CHECK(stream.counters->running == 0);
    CHECK(stream.run() == "complete");
}

TEST_CASE("a stream's program that is stopped with its worker may still answer", "[jobs][stream]") {
    const TemporaryFolder folder;
    StreamRun stream("read -r job; trap 'echo \"{\\\"result\\\":1}\"; exit' TERM; echo up; while :; do :; done");
    Seen seen;
    JobContext job(a_job(), seen.hooks());
    seen.on_line = [&](std::string_view) { job.request_stop(StopReason::shutdown); };
    CHECK(stream.run_in(job) == "complete 1");
    CHECK(stream.counters->running == 0);
}

TEST_CASE("a stream ends a job at its deadline, with everything in the program's group", "[jobs][stream]") {
    const TemporaryFolder folder;
    ExecSpec spec = sh(once(folder, "trap '' TERM; sleep 3600 & echo $! $$; while :; do sleep 3600; done"));
    spec.kill_after = 50ms;
    StreamRun stream(spec);
    Seen seen;
    JobContext job(a_job(), seen.hooks());
    job.set_deadline(std::chrono::steady_clock::now() + 300ms);
    CHECK(stream.run_in(job).starts_with("retry: timed out after 0."));
    REQUIRE(seen.log.size() == 1);
    std::istringstream pids(seen.log[0].substr(2));
    pid_t child = 0;
    pid_t leader = 0;
    pids >> child >> leader;
    CHECK(ends(child));
    CHECK(ends(leader));
}

TEST_CASE("a stream's job that waited for a start says how long it was allowed in all", "[jobs][stream]") {
    const TemporaryFolder folder;
    // Two starts come to nothing: the third waits 200 ms.
    StreamRun stream(
        "cd " + folder.path() + "; if [ $(ls | wc -l) -lt 2 ]; then : >$$; exit 1; fi; read -r job; exec sleep 3600"
    );
    for (int attempt = 0; attempt < 2; ++attempt) stream.run();
    JobContext job(a_job());
    job.set_deadline(std::chrono::steady_clock::now() + 1150ms);
    CHECK_THAT(stream.run_in(job), Catch::StartsWith("retry: timed out after 1"));
}

TEST_CASE("a stream's log is bounded for each job", "[jobs][stream]") {
    ExecSpec spec = sh("while read -r job; do yes | head -n 100000; echo '{\"done\":true}'; done");
    spec.output_limit = 1000;
    StreamRun stream(spec);
    for (int turn = 0; turn < 2; ++turn) {
        Seen seen;
        CHECK(stream.run(&seen) == "complete");
        CHECK(seen.log.size() < 510);
        CHECK(seen.log.size() > 400);
    }
    CHECK(stream.counters->started == 1);
}

TEST_CASE("a stream's program may close its standard error", "[jobs][stream]") {
    StreamRun stream("exec 2>&-; while read -r job; do echo '{\"done\":true}'; done");
    for (int turn = 0; turn < 3; ++turn) CHECK(stream.run() == "complete");
    CHECK(stream.counters->started == 1);
}

TEST_CASE("each job of a stream has its own processor time", "[jobs][stream]") {
    ExecSpec spec;
    spec.command = {"python3", "-c", R"py(
import sys, time
for job in sys.stdin:
    end = time.process_time() + (60 if "burn" in job else 0.7)
    while time.process_time() < end:
        pass
    print('{"done":true}', flush=True)
)py"};
    spec.cpu = 1s;
    StreamRun stream(spec);
    for (int turn = 0; turn < 4; ++turn) CHECK(stream.run() == "complete");
    CHECK(stream.counters->started == 1);
    CHECK(
        stream.run(nullptr, "[\"burn\"]") ==
        "retry: the program ended before it answered: killed by SIGXCPU: its processor time is used up"
    );
}

TEST_CASE("streams run many jobs at once on several threads and leave nothing behind", "[jobs][stream]") {
    const auto counters = std::make_shared<ProgramCounters>();
    // One in fifty jobs ends its program, in either way.
    const std::string script = R"sh(
while read -r job; do
    id=${job#*:}; id=${id%%,*}
    [ $((id % 50)) != 7 ] || exit 3
    echo line >&2; echo '{"result":'$id'}'
    [ $((id % 50)) != 8 ] || exit 0
done)sh";
    const std::size_t descriptors = [&] {
        StreamRun(script).run();  // whatever is opened once is open now
        return open_descriptors();
    }();
    constexpr int runs = 3000;
    std::atomic<int> next = 0;
    std::atomic<int> right = 0;
    {
        const auto [handler, close] = make_stream_handler(sh(script), counters);
        const auto run_some = [&]() -> boost::asio::awaitable<void> {
            for (int run = next++; run < runs; run = next++) {
                Job job = a_job();
                job.id = queue::JobId{run};
                JobContext context(job);
                const Outcome outcome = co_await handler(context);
                const std::string expected = run % 50 == 7 ? "retry: the program ended before it answered: exit code 3"
                                                           : "complete " + std::to_string(run);
                right += outcome_text(outcome).starts_with(expected) ? 1 : 0;
            }
        };
        boost::asio::io_context context(4);
        for (int slot = 0; slot < 8; ++slot) {
            boost::asio::co_spawn(context, run_some, [](std::exception_ptr error) {
                if (error) std::rethrow_exception(error);
            });
        }
        // A thread's end would kill the programs it started: it goes on until all are closed.
        const auto work = boost::asio::make_work_guard(context);
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 4; ++thread) threads.emplace_back([&] { context.run(); });
        while (next < runs + 8) std::this_thread::yield();
        boost::asio::co_spawn(context, close(), [&](std::exception_ptr) { context.stop(); });
    }
    CHECK(right == runs);
    CHECK(counters->running == 0);
    CHECK(open_descriptors() == descriptors);
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
}

TEST_CASE("a stream's programs are killed and collected when context and handler are destroyed", "[jobs][stream]") {
    Seen seen;
    const std::size_t descriptors = [] {
        StreamRun("cat").counters->running.load();
        return open_descriptors();
    }();
    {
        StreamRun stream(
            "while read -r job; do echo $$; case $job in *stay*) sleep 3600;; esac; echo '{\"done\":true}'; done"
        );
        CHECK(stream.run(&seen) == "complete");
        JobContext job(a_job("\"stay\""), seen.hooks());
        seen.on_line = [&](std::string_view) { stream.context.stop(); };
        boost::asio::co_spawn(
            stream.context, [&] { return stream.handler()(job); }, [](std::exception_ptr, Outcome) {}
        );
        stream.context.restart();
        stream.context.run_for(20s);
    }
    REQUIRE(seen.log.size() == 2);
    CHECK(seen.log[0] == seen.log[1]);
    CHECK(!is_alive(std::stoi(seen.log[0].substr(2))));
    CHECK(open_descriptors() == descriptors);
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

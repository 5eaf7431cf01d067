// The stream handler: what comes of the jobs of a program that does as it should.

#include "jobs/stream.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/process_end.hpp"
#include "tests/support/stream_run.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <filesystem>
#include <thread>

using namespace jobs;
using namespace tests;
using namespace std::chrono_literals;

TEST_CASE("a stream gives one program one job after the other", "[jobs][stream]") {
    StreamRun stream(R"(while read -r job; do echo "{\"result\":[$$,$job]}"; done)");
    const std::string first = stream.run(nullptr, R"({"n":1})");
    const std::string second = stream.run(nullptr, R"({"n":2})");
    const auto document = [](const std::string& outcome) {
        return boost::json::parse(outcome.substr(std::string_view("complete ").size()));
    };
    CHECK(document(first).at(0) == document(second).at(0));
    CHECK(document(first).at(1).at("id") == 256);
    CHECK(document(first).at(1).at("args").at("n") == 1);
    CHECK(document(second).at(1).at("args").at("n") == 2);
    CHECK(stream.counters->started == 1);
    CHECK(stream.counters->running == 1);
    stream.close();
    CHECK(stream.counters->running == 0);
}

TEST_CASE("a stream takes every answer of the protocol", "[jobs][stream]") {
    const std::vector<std::pair<std::string, std::string>> answers{
        {R"({"result":{"a":[1]}})", R"(complete {"a":[1]})"},
        {R"({"done":true})", "complete"},
        {R"({"retry":{"after":3,"error":"busy"}})", "retry after 3000 ms: busy"},
        {R"({"snooze":30})", "snooze 30000 ms: the program asked for it"},
        {R"({"discard":"no such user"})", "discard: no such user"},
        {R"({"id":256,"result":7})", "complete 7"},
        {R"({"result":7,"id":256})", "complete 7"},
    };
    const TemporaryFolder folder;
    std::string lines;
    for (const auto& [line, outcome] : answers) lines += line + "\n";
    folder.write("answers", lines);
    StreamRun stream(
        "exec 3<" + folder.path() + "/answers; while read -r job; do read -r answer <&3; echo $answer; done"
    );
    for (const auto& [line, outcome] : answers) CHECK(stream.run() == outcome);
    CHECK(stream.counters->started == 1);
}

TEST_CASE("a stream hears of progress, and takes the rest for the job's log", "[jobs][stream]") {
    StreamRun stream(R"sh(
while read -r job; do
    n=$((n + 1))
    echo "warning $n" >&2
    echo "remark $n"
    echo '{"progress":{"done":'$n',"total":2,"message":"page"}}'
    echo '{"done":true}'
done)sh");
    for (const std::string n : {"1", "2"}) {
        Seen seen;
        CHECK(stream.run(&seen) == "complete");
        CHECK(seen.progress == Lines{n + "/2 page"});
        std::ranges::sort(seen.log);  // two pipes have no common order
        CHECK(seen.log == Lines{"i remark " + n, "w warning " + n});
    }
}

TEST_CASE("a stream runs a program for each job that runs at once, and keeps it", "[jobs][stream]") {
    const TemporaryFolder folder;
    // Each answers once three have started.
    StreamRun stream("cd " + folder.path() + R"sh(
while read -r job; do
    : >$$
    while [ $(ls | wc -l) -lt 3 ]; do :; done
    echo '{"done":true}'
done)sh");
    int done = 0;
    const auto run_one = [&]() -> boost::asio::awaitable<void> {
        JobContext job(a_job());
        const Outcome outcome = co_await stream.handler()(job);
        done += outcome_text(outcome) == "complete" ? 1 : 0;
    };
    for (int round = 0; round < 2; ++round) {
        for (int slot = 0; slot < 3; ++slot) {
            boost::asio::co_spawn(stream.context, run_one, [](std::exception_ptr error) {
                if (error) std::rethrow_exception(error);
            });
        }
        stream.context.restart();
        stream.context.run_for(20s);
    }
    CHECK(done == 6);
    CHECK(stream.counters->started == 3);
    CHECK(stream.counters->running == 3);
    stream.close();
    CHECK(stream.counters->running == 0);
}

TEST_CASE("a stream's program may end when it has no job", "[jobs][stream]") {
    StreamRun stream("read -r job; echo '{\"result\":'$$'}'; exit 9");
    const std::string first = stream.run();
    const std::string second = stream.run();
    CHECK(first.starts_with("complete "));
    CHECK(second.starts_with("complete "));
    CHECK(first != second);
}

TEST_CASE("a job that a stream's program did not begin to read is given to another", "[jobs][stream]") {
    const TemporaryFolder folder;
    const std::string fifo = folder.path() + "/fifo";
    REQUIRE(std::system(("mkfifo " + fifo).c_str()) == 0);
    // After its first answer it takes no job, and ends when it is told so.
    StreamRun stream("read -r job; echo '{\"result\":'$$'}'; read -r word <" + fifo);
    const std::string first = stream.run();
    JobContext job(a_job());
    std::jthread teller;
    boost::asio::post(stream.context, [&] {
        // Opened once the program reads there: it is past its answer then.
        teller = std::jthread([&] { std::ofstream(fifo) << "end\n"; });
    });
    const std::string second = stream.run_in(job);
    CHECK(second.starts_with("complete "));
    CHECK(second != first);
    CHECK(stream.counters->started == 2);
}

TEST_CASE("a stream sends a job of any size to a program that reads slowly", "[jobs][stream]") {
    const std::string large(std::size_t{1} << 20U, 'x');
    StreamRun stream("while read -r job; do echo '{\"result\":'${#job}'}'; done");
    for (int turn = 0; turn < 2; ++turn) {
        const std::string outcome = stream.run(nullptr, "[\"" + large + "\"]");
        REQUIRE(outcome.starts_with("complete "));
        CHECK(std::stoul(outcome.substr(9)) > large.size());
    }
    CHECK(stream.counters->started == 1);
}

TEST_CASE("a stream's program has the shared environment and its kind", "[jobs][stream]") {
    ExecSpec spec = sh("while read -r job; do env >&2; echo '{\"done\":true}'; done");
    spec.env = {{"MODE", "fast"}};
    StreamRun stream(spec);
    Seen seen;
    CHECK(stream.run(&seen, R"({"user": 7})") == "complete");
    const auto has = [&](std::string_view start) {
        return std::ranges::any_of(seen.log, [&](const std::string& line) { return line.starts_with(start); });
    };
    CHECK(has("w MODE=fast"));
    CHECK(has("w JOB_KIND=test"));
    CHECK_FALSE(has("w JOB_ID"));
    CHECK_FALSE(has("w ARG_"));
}

TEST_CASE("close ends a stream's programs with the end of their input, and kills those that stay", "[jobs][stream]") {
    const TemporaryFolder folder;
    SECTION("one that ends") {
        StreamRun stream("while read -r job; do echo '{\"done\":true}'; done; echo clean >" + folder.path() + "/ended");
        CHECK(stream.run() == "complete");
        stream.close();
        CHECK(std::filesystem::exists(folder.path() + "/ended"));
    }
    SECTION("one that stays") {
        ExecSpec spec = sh("read -r job; echo '{\"result\":'$$'}'; while :; do sleep 3600; done");
        spec.kill_after = 50ms;
        StreamRun stream(spec);
        const std::string outcome = stream.run();
        REQUIRE(outcome.starts_with("complete "));
        stream.close();
        CHECK(ends(std::stoi(outcome.substr(9))));
    }
    SECTION("one that comes back later") {
        StreamRun stream("while read -r job; do echo '{\"done\":true}'; done");
        stream.close();
        CHECK(stream.run() == "complete");
        CHECK(stream.counters->running == 0);
    }
}

// The exec handler: what a program prints and how it ends become an outcome.

#include "jobs/exec.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exec_run.hpp"

#include <sys/resource.h>

#include <algorithm>

using namespace jobs;
using namespace tests;
using namespace std::chrono_literals;

TEST_CASE("exec maps how a program ends to an outcome", "[jobs][exec]") {
    struct Row {
        std::string script;
        std::string expected;
    };
    const auto row = GENERATE(values<Row>({
        {"exit 0", "complete"},
        {"echo hello", "complete"},
        {R"(echo '{"result": {"n": 1}}')", R"(complete {"n":1})"},
        {R"(echo '{"result": 1}'; echo '{"result": 2}')", "complete 2"},
        {R"(printf '{"result": 3}')", "complete 3"},
        {R"(echo '{"result": 1}'; exit 1)", "retry: exit code 1"},
        {R"(echo '{"result": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
         "retry: the program's \"result\" line is not JSON: incomplete JSON"},
        {"echo out; echo why >&2; exit 3", "retry: exit code 3\nwhy"},
        {"echo out; exit 3", "retry: exit code 3\nout"},
        {"printf 'no\\377end' >&2; exit 4",
         "retry: exit code 4\nno\xEF\xBF\xBD"
         "end"},
        {"exit 65", "discard: exit code 65"},
        {"echo gone >&2; exit 65", "discard: exit code 65\ngone"},
        {"exit 75", "snooze 60000 ms: exit code 75"},
        {"exit 255", "retry: exit code 255"},
        {"kill -SEGV $$", "retry: killed by SIGSEGV"},
        {"kill -KILL $$", "retry: killed by SIGKILL, not by this worker: out of memory, perhaps"},
        {"kill -TERM $$", "retry: killed by SIGTERM"},
        {R"(echo '{"retry": {"after": 2, "error": "busy"}}')", "retry after 2000 ms: busy"},
        {R"(echo '{"snooze": 5}'; exit 1)", "snooze 5000 ms: the program asked for it"},
        {R"(echo '{"discard": "never"}'; exit 75)", "discard: never"},
        {R"(echo '{"discard": "never"}'; kill -KILL $$)",
         "retry: killed by SIGKILL, not by this worker: out of memory, perhaps"},
    }));
    INFO(row.script);
    CHECK(run_script(row.script) == row.expected);
}

TEST_CASE("exec reports progress and log lines while the program runs", "[jobs][exec]") {
    Seen seen;
    CHECK(
        run_script(
            R"(echo start; echo '{"progress": {"done": 1, "total": 2, "message": "half"}}'; echo '{"progress": 100}'
               echo '{"progress": "most"}'; echo careful >&2; echo '{"a": 1, "result": 5}')",
            &seen
        ) == "complete"
    );
    CHECK(seen.progress == Lines{"1/2 half", "100/100 "});
    std::ranges::sort(seen.log);  // the two streams are not ordered against each other
    CHECK(
        seen.log ==
        Lines{
            "i start",
            R"(i {"a": 1, "result": 5})",
            R"(i {"progress": "most"})",
            R"(w "progress" takes a percentage or {"done": 3, "total": 10, "message": "..."})",
            "w careful",
        }
    );
}

TEST_CASE("exec drops output without bound in bounded memory", "[jobs][exec][slow]") {
    struct Row {
        std::string script;
        std::string first;
    };
    const auto row = GENERATE(values<Row>({
        {"head -c 300000000 /dev/zero", ""},
        {"head -c 300000000 /dev/zero >&2", ""},
        {"yes | head -c 10000000", "i y"},
    }));
    INFO(row.script);
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_SELF, &before);
    Seen seen;
    CHECK(run_script(row.script, &seen) == "complete");
    ::getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss < 32L * 1024);  // KiB
    std::size_t logged = 0;
    for (const std::string& line : seen.log) logged += line.size() - 1;
    CHECK(logged < std::size_t{300} * 1024);
    CHECK(std::ranges::any_of(seen.log, [](const std::string& line) {
        return line.find("left out]") != std::string::npos;
    }));
    if (!row.first.empty()) CHECK(seen.log.front() == row.first);
}

TEST_CASE("exec discards a result over the limit and says so", "[jobs][exec]") {
    ExecSpec spec = sh(R"(printf '{"result":"%01000d"}\n' 1)");
    spec.result_limit = 1002;
    CHECK(run_spec(spec).starts_with("complete \"000"));
    spec.result_limit = 1001;
    CHECK(run_spec(spec) == "discard: its result of 1002 bytes is over the limit of 1001 bytes");
    spec = sh(R"(printf '{"result":"'; head -c 10000000 /dev/zero | tr '\0' x; echo '"}')");
    CHECK(run_spec(spec) == "discard: its result of 10000013 bytes is over the limit of 65536 bytes");
}

// The log as those who run a worker need it: nothing secret in it, levels, files that logrotate moves, traces.
#include "tests/support/catch.hpp"
#include "tests/support/http_run.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/markdown.hpp"
#include "tests/support/shop.hpp"

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace tests;
using Catch::Contains;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string meta = R"(, meta => '{"traceparent": "00-)" + trace + R"(-00f067aa0ba902b7-01"}')";
const std::string signing_key = "bWFya2VkLWtleS1tYXJrZWQta2V5LW1hcmtlZC1rZXk=";
constexpr const char* marked = R"('{"marked": "marked-args", "n": 1}')";

// Handlers of every kind, which complete with a result and fail with an error that are marked; args are marked too.
std::string marked_handlers(const HttpServer& api, const std::string& folder) {
    const std::string backoff = "\n    max_attempts: 2\n    backoff: {first: 10ms}";
    const auto shell = [&](const std::string& kind, const std::string& script) {
        return "\n  " + kind + ":\n    exec: [sh, -c, '" + script + "']" + backoff;
    };
    const auto stays = [&](const std::string& kind, const std::string& answer) {
        return shell(kind, "while read -r line; do echo \"" + answer + "\"; done") + "\n    mode: stream";
    };
    const auto calls = [&](const std::string& kind, const std::string& url) {
        return "\n  " + kind + ":\n    http: \"" + url + "\"\n    secret_file: " + folder + "/secret" + backoff;
    };
    return shell("exec-result", R"(echo "{\"result\": \"marked-result\"}")") +
           shell("exec-retry", R"(echo "{\"retry\": \"marked-error\"}")") +
           shell("exec-discard", R"(echo "{\"discard\": \"marked-error\"}")") +
           shell("exec-broken", R"(echo "{\"result\": marked-error")") + shell("exec-fails", "exit 3") +
           shell("exec-talks", "echo printed by the program $TRACEPARENT") +
           stays("stream-result", R"({\"result\": \"marked-result\"})") +
           stays("stream-retry", R"({\"retry\": \"marked-error\"})") +
           stays("stream-discard", R"({\"discard\": \"marked-error\"})") +
           stays("stream-broken", R"({\"result\": marked-error)") + shell("stream-dies", "read -r line; exit 4") +
           "\n    mode: stream" + calls("http-result", api.url("/args")) +
           calls("http-retry", api.url("/status?status=500&body=marked-error")) +
           calls("http-discard", api.url("/status?status=410&body=marked-error&reason=marked-reason")) +
           calls("http-nobody", "http://127.0.0.1:1/marked-path?token=marked-token") + "\n";
}

}  // namespace

TEST_CASE("no secret, args, result or error of a job is in the log of a worker", "[scenario][logs]") {
    HttpServer api;
    const TemporaryFolder folder;
    folder.write("secret", "whsec_" + signing_key + "\n");
    fs::permissions(folder.path() + "/secret", fs::perms{0600});
    Shop shop(":", marked_handlers(api, folder.path()));
    const std::string name = "logs_marked_" + std::to_string(getpid());
    shop.database.psql("create role " + name + " superuser login password 'marked-password'");
    std::string url = shop.database.url();
    url.replace(url.find("postgres@"), 9, name + ":marked-password@");
    int jobs = 0;
    std::vector<std::string> kinds;
    {
        std::istringstream config(text_of(shop.folder.path() + "/config.yml"));
        for (std::string line; std::getline(config, line);) {
            if (line.starts_with("  ") && line[2] != ' ' && line.back() == ':')
                kinds.push_back(line.substr(2, line.size() - 3));
        }
    }
    kinds.insert(kinds.end(), {"echo", "noop"});
    REQUIRE(kinds.size() == 18);
    for (const std::string& kind : kinds) {
        shop.enqueue(kind, 2, marked, meta);
        jobs += 2;
    }
    shop.enqueue("echo", 1, R"('{"sleep_ms": "marked-args"}')");  // args that the handler refuses
    shop.enqueue("echo", 1, R"('{"fail_times": 1, "marked": "marked-args"}')");
    jobs += 2;
    WorkerProcess worker(url, {{"DB_PASSWORD", "marked-password"}}, shop.arguments());
    shop.await_finished(jobs);
    // Connections that break, and cannot be made again for a while.
    shop.database.psql("alter role " + name + " nologin");
    shop.database.psql("select pg_terminate_backend(pid) from pg_stat_activity where usename = '" + name + "'");
    worker.wait_for_line("\"message\":\"heartbeat not accepted\"");
    shop.database.psql("alter role " + name + " login");
    worker.wait_for_line("\"message\":\"heartbeat accepted again\"");
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);

    const std::string log = worker.output();
    INFO(log);
    CHECK_THAT(log, !Contains("marked-args") && !Contains("marked-result") && !Contains("marked-error"));
    CHECK_THAT(log, !Contains("marked-password") && !Contains(signing_key) && !Contains("marked-key"));
    CHECK_THAT(log, !Contains("marked-token") && !Contains("marked-path") && !Contains("marked-reason"));
    // All the same it is told which jobs failed, and what the worker saw of it.
    for (const char* cause :
         {"exit code 3", "the program ended before it answered", "HTTP 500", "HTTP 410", "no answer"})
        CHECK_THAT(log, Contains(std::string(R"("cause":")") + cause));
    const std::set<std::string> documented = [] {
        std::set<std::string> names;
        for (const std::string& span : code_spans(read_page("docs/logs.md"))) names.insert(span);
        return names;
    }();
    int of_jobs = 0;
    for (const json::object& line : lines_in(log)) {
        INFO(json::serialize(line));
        CHECK(
            (line.contains("time") && line.contains("level") && line.contains("component") && line.contains("message"))
        );
        for (const auto& [field, value] : line) {
            INFO(field);
            CHECK(documented.contains(std::string(field)));
        }
        const json::value* kind = line.if_contains("kind");
        if (!line.contains("job_id") || *kind == "echo") continue;
        ++of_jobs;
        CHECK(line.at("trace_id") == trace.c_str());
    }
    CHECK(of_jobs > 20);
    // What a program prints for the log is there, and its TRACEPARENT came from the enqueue.
    CHECK_THAT(
        log,
        Contains(
            "\"component\":\"handlers\",\"message\":\"printed by the program 00-" + trace + "-00f067aa0ba902b7-01\""
        )
    );
    // The database has what the log has not.
    CHECK(
        shop.database.value("select count(*) > 5 from task_queue.dead_jobs where error like '%marked-error%'") == "t"
    );
}

TEST_CASE("log.levels: a component's lines appear from its own level on", "[scenario][logs][setting]") {
    const auto log_of = [](const std::string& levels) {
        Shop shop("echo printed; echo '{\"discard\": \"its error\"}'");
        WorkerProcess worker(shop.database.url(), {{"TASK_WORKER_LOG_LEVELS", levels}}, shop.arguments());
        shop.enqueue("work", 1);
        shop.await_finished(1);
        worker.signal(SIGTERM);
        worker.wait_exit();
        return worker.output();
    };
    CHECK_THAT(log_of(""), Contains("\"printed\"") && Contains("job discarded") && !Contains("its error"));
    CHECK_THAT(log_of("jobs=debug,handlers=error"), !Contains("\"printed\"") && Contains("\"error\":\"its error\""));
    CHECK_THAT(log_of("jobs=error"), Contains("\"printed\"") && !Contains("job discarded"));
}

TEST_CASE(
    "of a kind that goes on failing for one cause ten lines are written, and dead letters are all", "[scenario][logs]"
) {
    Shop shop("exit 3", "  gone: {exec: [sh, -c, 'exit 65']}\n");
    WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    shop.enqueue("work", 40, "'{}'", ", max_attempts => 2");
    shop.enqueue("gone", 40);
    shop.await_finished(80);
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
    int retried = 0;
    int discarded = 0;
    std::int64_t left_out = 0;
    for (const json::object& line : lines_in(worker.output())) {
        if (line.at("message") == "job discarded") ++discarded;
        if (line.at("message") != "job failed, to be retried") continue;
        if (const json::value* lines = line.if_contains("left_out")) {
            left_out += lines->as_int64();
            CHECK(line.at("subject") == "work: exit code 3");
        } else {
            ++retried;
        }
    }
    CHECK(discarded == 80);
    CHECK(retried + left_out == 40);
    CHECK(retried >= 10);
    CHECK(left_out > 0);
}

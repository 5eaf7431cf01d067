// The http handler against servers that misbehave, and jobs that are stopped.

#include "jobs/http.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/http_run.hpp"
#include "tests/support/process_facts.hpp"

#include <boost/asio/co_spawn.hpp>

#include <atomic>
#include <filesystem>
#include <thread>

using namespace jobs;
using namespace tests;
using namespace std::chrono_literals;

TEST_CASE("http makes a retry of a server that gives no answer, and goes on", "[jobs][http]") {
    struct Row {
        std::string path;
        std::string error;
    };
    HttpServer server;
    HttpRun http;
    const std::vector<Row> rows{
        {"/break-off", "the connection was closed in the middle of the answer"},
        {"/garbage", "its answer is not HTTP/1.1: bad version"},
        {"/nothing", "the connection was closed without an answer"},
        {"/endless-headers", "its headers are over 65536 bytes"},
    };
    for (const Row& row : rows) {
        const std::string url = server.url(row.path);
        CHECK(http.call(url) == "retry: POST " + url + ": " + row.error);
        CHECK(http.call(server.url("/status?status=204")) == "complete");
    }
    CHECK(http.counters->answers[0] == rows.size());
    CHECK(server.requests(9).size() == 9);  // of those without an answer one was sent again: no byte had come
}

TEST_CASE("http says who refuses a connection, and which name is not known", "[jobs][http]") {
    HttpRun http;
    std::string url;
    {
        HttpServer server;
        url = server.url("/args");
    }
    CHECK_THAT(http.call(url), Catch::StartsWith("retry: POST " + url + ": Failed to connect to 127.0.0.1 port"));
    CHECK_THAT(
        http.call("http://no-such-host.invalid/"),
        Catch::StartsWith("retry: POST http://no-such-host.invalid/: Could not resolve host")
    );
}

TEST_CASE("http cuts off a body without end", "[jobs][http]") {
    HttpServer server;
    HttpRun http;
    CHECK(http.call(server.url("/endless")) == "discard: the answer is over the limit of 65536 bytes");
    server.wait_for("cut off");
    CHECK(http.call(server.url("/endless?status=500")).starts_with("retry: HTTP 500 Internal Server Error\nxxxx"));
    CHECK(http.call(server.url("/status?status=204")) == "complete");
}

TEST_CASE("http reads the answer of a server that does not read the whole request", "[jobs][http]") {
    HttpServer server;
    HttpRun http;
    HttpSpec spec;
    const std::string large = "\"" + std::string(std::size_t{16} << 20U, 'x') + "\"";
    for (const char* path : {"/refuse", "/hasty"}) {
        spec.url = server.url(path);
        CHECK(http.call(spec, large) == "retry: HTTP 413 Request Entity Too Large\ntoo much");
        CHECK(http.call(server.url("/status?status=204")) == "complete");
    }
}

TEST_CASE("http ends a call at its deadline, wherever it hangs", "[jobs][http]") {
    HttpServer server;
    HttpRun http;
    const std::string path = GENERATE("/hang", "/hang-in-body");
    JobContext job(a_job());
    job.set_deadline(std::chrono::steady_clock::now() + 300ms);
    HttpSpec spec;
    spec.url = server.url(path);
    CHECK_THAT(http.run_in(job, spec), Catch::StartsWith("retry: timed out after 0.") && Catch::EndsWith(" s"));
    server.wait_for("hung up");
    CHECK(http.call(server.url("/status?status=204")) == "complete");
}

TEST_CASE("http's deadline holds for calls that wait for a connection", "[jobs][http]") {
    HttpServer server;
    HttpRun http(1);
    HttpSpec spec;
    spec.url = server.url("/hang");
    int late = 0;
    for (int call = 0; call < 3; ++call) {
        boost::asio::co_spawn(
            http.context,
            [&, handler = http.handler(spec)]() -> boost::asio::awaitable<void> {
                JobContext job(a_job());
                job.set_deadline(std::chrono::steady_clock::now() + 300ms);
                const Outcome outcome = co_await handler(job);
                late += outcome_text(outcome).starts_with("retry: timed out after 0.") ? 1 : 0;
            },
            [](std::exception_ptr error) {
                if (error) std::rethrow_exception(error);
            }
        );
    }
    http.context.run_for(20s);
    CHECK(late == 3);
}

TEST_CASE("http opens another connection for who waits when one breaks", "[jobs][http]") {
    HttpServer server;
    HttpRun http(1);
    http.call_at_once(server.url("/nothing"), 3);
    CHECK(http.counters->answers[0] == 3);
}

TEST_CASE("http closes the connection of a job that is stopped on another thread", "[jobs][http]") {
    struct Row {
        StopReason reason;
        std::string expected;
    };
    const auto row = GENERATE(values<Row>({
        {StopReason::cancelled, "cancel: cancelled while it ran"},
        {StopReason::lease_lost, "retry: stopped: the lease is lost"},
        {StopReason::shutdown, "retry: stopped: the worker stops"},
    }));
    HttpServer server;
    HttpRun http;
    JobContext job(a_job());
    HttpSpec spec;
    spec.url = server.url("/hang");
    std::jthread stopper([&] {
        server.wait_for("request ");
        job.request_stop(row.reason);
    });
    CHECK(http.run_in(job, spec) == row.expected);
    server.wait_for("hung up");
    CHECK(http.counters->answers[0] == 0);
    CHECK(http.run_in(job, spec) == row.expected);  // stopped already: nothing is sent
    CHECK(server.requests(1).size() == 1);
}

TEST_CASE("http leaves nothing behind when its event loop is destroyed in the middle of a call", "[jobs][http]") {
    HttpServer server;
    const std::size_t descriptors = open_descriptors();
    HttpSpec spec;
    spec.url = server.url("/hang");
    JobContext job(a_job());
    auto client = std::make_shared<HttpClient>(HttpClientSettings{});
    {
        boost::asio::io_context context;
        boost::asio::co_spawn(
            context,
            [&, handler = make_http_handler(spec, client)] { return handler(job); },
            [](std::exception_ptr, Outcome) {}
        );
        std::jthread stopper([&] {
            server.wait_for("request ");
            context.stop();
        });
        context.run();
    }
    server.wait_for("hung up");
    client.reset();
    CHECK(open_descriptors() == descriptors);
}

TEST_CASE("http makes many calls at once on several threads and leaves nothing behind", "[jobs][http]") {
    HttpServer server;
    const std::size_t descriptors = open_descriptors();
    constexpr int calls = 2000;
    std::atomic<int> next = 0;
    std::atomic<int> right = 0;
    {
        const auto client = std::make_shared<HttpClient>(HttpClientSettings{.host_connections = 6});
        HttpSpec spec;
        spec.url = server.url("/args");
        const Handler echo = make_http_handler(spec, client);
        spec.url = server.url("/close-behind");
        const Handler closing = make_http_handler(spec, client);
        const auto call_some = [&]() -> boost::asio::awaitable<void> {
            for (int call = next++; call < calls; call = next++) {
                JobContext job(a_job(std::to_string(call)));
                const bool closes = call % 50 == 7;
                const Handler& handler = closes ? closing : echo;
                if (call % 100 == 3) job.request_stop(StopReason::cancelled);
                const Outcome outcome = co_await handler(job);
                const std::string expected = call % 100 == 3 ? "cancel"
                                             : closes        ? "complete "
                                                             : "complete " + std::to_string(call);
                right += outcome_text(outcome).starts_with(expected) ? 1 : 0;
            }
        };
        boost::asio::io_context context(4);
        for (int slot = 0; slot < 16; ++slot) {
            boost::asio::co_spawn(context, call_some, [](std::exception_ptr error) {
                if (error) std::rethrow_exception(error);
            });
        }
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 4; ++thread) threads.emplace_back([&] { context.run(); });
    }
    CHECK(right == calls);
    CHECK(open_descriptors() == descriptors);
}

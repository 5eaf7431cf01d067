// The http handler against a server in Python: what is sent, and what comes of the answers.

#include "jobs/http.hpp"
#include "jobs/http_signature.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/http_run.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/json/serialize.hpp>

#include <cstdlib>
#include <ctime>
#include <set>

using namespace jobs;
using namespace tests;
using namespace std::chrono_literals;

TEST_CASE("http sends the job with a signature, an idempotency key and the trace", "[jobs][http]") {
    HttpServer server;
    HttpRun http;
    HttpSpec spec;
    spec.url = server.url("/args?x=1");
    spec.keys = {std::string(32, 'k'), std::string(24, 'o')};
    Job job = a_job(R"({"to": "a@b.c"})");
    job.attempt = 2;
    job.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const std::time_t before = std::time(nullptr);
    JobContext context(job);
    CHECK(http.run_in(context, spec) == R"(complete {"to":"a@b.c"})");
    const auto requests = server.requests(1);
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].at("path") == "/args?x=1");
    const auto& headers = requests[0].at("headers").as_object();
    const auto header = [&](const char* name) { return std::string(headers.at(name).as_string()); };
    CHECK(header("content-type") == "application/json");
    CHECK(header("user-agent") == "task-worker/test");
    CHECK(header("webhook-id") == "job_256");
    CHECK(header("idempotency-key") == "job_256");
    CHECK(header("traceparent") == job.traceparent);
    const std::time_t sent = std::stoll(header("webhook-timestamp"));
    CHECK(sent >= before);
    CHECK(sent <= std::time(nullptr));
    const std::string body(requests[0].at("body").as_string());
    CHECK(header("webhook-signature") == sign_webhook(spec.keys, "job_256", sent, body));
    const auto document = boost::json::parse(body);
    CHECK(document.at("id") == 256);
    CHECK(document.at("attempt") == 2);
    CHECK(document.at("args").at("to") == "a@b.c");
}

TEST_CASE("http signs nothing without a secret, and sends no header that a producer made up", "[jobs][http]") {
    HttpServer server;
    HttpRun http;
    Job job = a_job();
    job.traceparent = "00\r\nX-Forged: yes";
    JobContext context(job);
    HttpSpec spec;
    spec.url = server.url("/args");
    CHECK(http.run_in(context, spec) == "complete {}");
    const auto headers = server.requests(1).at(0).at("headers").as_object();
    for (const char* name : {"webhook-signature", "traceparent", "x-forged", "expect"})
        CHECK_FALSE(headers.contains(name));
}

TEST_CASE("http takes the outcome from the answer", "[jobs][http]") {
    struct Row {
        std::string path;
        std::string expected;
    };
    HttpServer server;
    HttpRun http;
    const std::vector<Row> rows{
        {"/status?status=200&body={\"n\":1}", R"(complete {"n":1})"},
        {"/status?status=200&body=fine", R"(complete "fine")"},
        {"/status?status=204", "complete"},
        {"/status?status=202", "complete"},
        {"/announced", R"(complete "done")"},
        {"/status?status=410&body=no+such+user", "discard: HTTP 410 Gone\nno such user"},
        {"/status?status=503&Retry-After=30", "snooze 30000 ms: HTTP 503 Service Unavailable"},
        {"/status?status=429&Retry-After=0", "snooze 0 ms: HTTP 429 Too Many Requests"},
        {"/status?status=429&Retry-After=Thu,+01+Jan+1998+00:00:00+GMT", "snooze 0 ms: HTTP 429 Too Many Requests"},
        {"/status?status=503", "retry: HTTP 503 Service Unavailable"},
        {"/status?status=503&Retry-After=soon",
         "retry: HTTP 503 Service Unavailable, its Retry-After cannot be understood: \"soon\""},
        {"/status?status=500&body=Traceback", "retry: HTTP 500 Internal Server Error\nTraceback"},
        {"/status?status=404", "retry: HTTP 404 Not Found"},
        {"/status?status=302&Location=/args", "retry: HTTP 302 Found: a redirect to \"/args\", not followed"},
    };
    for (const Row& row : rows) {
        INFO(row.path);
        CHECK(http.call(server.url(row.path)) == row.expected);
    }
    CHECK(server.requests(rows.size()).size() == rows.size());  // no redirect was followed
    CHECK(http.counters->connections == 1);
    CHECK(http.counters->answers[2] == 5);
    CHECK(http.counters->answers[3] == 1);
    CHECK(http.counters->answers[4] == 4);
    CHECK(http.counters->answers[5] == 4);
}

TEST_CASE("http sends args of any size and takes results up to their limit", "[jobs][http]") {
    HttpServer server;
    HttpRun http;
    HttpSpec spec;
    spec.url = server.url("/args");
    spec.result_limit = std::size_t{2} << 20U;
    const std::string large = "\"" + std::string(std::size_t{1} << 20U, 'x') + "\"";
    CHECK(http.call(spec, large) == "complete " + large);
    spec.result_limit = 1000;
    spec.url = server.url("/big?bytes=1000");
    CHECK(http.call(spec).starts_with("complete \"xxx"));
    spec.url = server.url("/big?bytes=1001");
    CHECK(http.call(spec) == "discard: the answer of 1001 bytes is over the limit of 1000 bytes");
    spec.url = server.url("/big?bytes=1000000");
    CHECK(http.call(spec) == "discard: the answer is over the limit of 1000 bytes");
    spec.url = server.url("/big?bytes=50000&status=500");
    CHECK(http.call(spec).size() == std::string_view("retry: HTTP 500 Internal Server Error\n").size() + 2048);
}

TEST_CASE("http keeps a connection, and replaces one that the server has closed meanwhile", "[jobs][http]") {
    HttpServer server;
    HttpRun http;
    const std::string first = http.call(server.url("/connection"));
    CHECK(http.call(server.url("/connection")) == first);
    CHECK(http.call(server.url("/close-behind")) == first);
    const std::string second = http.call(server.url("/connection"));
    CHECK(second.starts_with("complete "));
    CHECK(second != first);
    CHECK(http.counters->connections == 2);
}

TEST_CASE("http closes what it kept beside a connection that turned out to be closed", "[jobs][http]") {
    HttpServer server;
    HttpRun http;
    http.call_at_once(server.url("/together?wanted=2"), 2);
    http.call(server.url("/close-behind"));
    CHECK(http.call(server.url("/connection")) == "complete 3");
}

TEST_CASE("http uses no connection that was idle for longer than it may", "[jobs][http]") {
    HttpServer server;
    HttpRun http(HttpClientSettings{.host_connections = 1, .longest_idle = 0ms});
    CHECK(http.call(server.url("/connection")) == "complete 1");
    CHECK(http.call(server.url("/connection")) == "complete 2");  // the first has left its place to it
    CHECK(http.counters->connections == 2);
}

TEST_CASE("http keeps all connections while few calls are made", "[jobs][http]") {
    HttpServer server;
    HttpRun http;
    for (int round = 0; round < 2; ++round) {
        http.call_at_once(server.url("/together?wanted=6"), 6);
        for (int call = 0; call < 3; ++call) http.call(server.url("/connection"));
    }
    CHECK(http.counters->answers[2] == 18);
    CHECK(http.counters->connections == 6);
}

TEST_CASE("http goes through a proxy to its end", "[jobs][http]") {
    HttpServer server;
    HttpServer proxy;
    HttpRun http;
    const std::string url = server.url("/connection");
    ::setenv("http_proxy", proxy.url("").c_str(), 1);
    CHECK(http.call(url) == "complete 1");
    ::unsetenv("http_proxy");
    proxy.wait_for("tunnel to " + url.substr(7, url.rfind('/') - 7));
    CHECK(http.call(url) == "complete 1");  // by the connection that was kept
    CHECK(http.counters->connections == 1);
}

TEST_CASE("http opens no more connections to one host than its limit, whoever calls", "[jobs][http]") {
    HttpServer server;
    HttpRun http(3);
    HttpSpec spec;
    spec.url = server.url("/together?wanted=3");
    const std::array<Handler, 2> handlers{http.handler(spec), http.handler(spec)};
    std::set<std::string> outcomes;
    int done = 0;
    for (std::size_t call = 0; call < 12; ++call) {
        boost::asio::co_spawn(
            http.context,
            [&, call]() -> boost::asio::awaitable<void> {
                JobContext job(a_job());
                const Outcome outcome = co_await handlers.at(call % 2)(job);
                outcomes.insert(outcome_text(outcome));
                ++done;
            },
            [](std::exception_ptr error) {
                if (error) std::rethrow_exception(error);
            }
        );
    }
    http.context.run_for(20s);
    CHECK(done == 12);
    CHECK(outcomes == std::set<std::string>{"complete 1", "complete 2", "complete 3"});
}

TEST_CASE("http works after its event loop is gone, in another", "[jobs][http]") {
    HttpServer server;
    const auto client = std::make_shared<HttpClient>(HttpClientSettings{});
    for (int turn = 0; turn < 3; ++turn) {
        HttpSpec spec;
        spec.url = server.url("/connection");
        const Handler handler = make_http_handler(spec, client);
        JobContext job(a_job());
        CHECK(outcome_text(tests::run([&] { return handler(job); })) == "complete 1");
    }
}

TEST_CASE("http verifies the server by its certificate", "[jobs][http][tls]") {
    const Authority authority;
    const TemporaryFolder folder;
    const auto serve = [&](const Authority::Certificate& certificate) {
        folder.write("certificate", certificate.certificate);
        folder.write("key", certificate.key);
        return std::make_unique<HttpServer>(folder.path() + "/certificate", folder.path() + "/key");
    };
    HttpRun http;
    HttpSpec spec;
    SECTION("a right one") {
        const auto server = serve(authority.issue("localhost"));
        spec.url = server->url("/connection", "localhost");
        spec.ca_file = authority.file();
        CHECK(http.call(spec) == "complete 1");
        CHECK(http.call(spec) == "complete 1");
        HttpSpec trusting = spec;  // whom the system trusts
        trusting.ca_file.clear();
        CHECK(http.call(trusting).starts_with("retry: POST " + spec.url + ": SSL certificate problem: "));
        spec.url = server->url("/connection");
        CHECK(http.call(spec).starts_with("retry: POST " + spec.url + ": SSL: "));  // not its name
    }
    SECTION("an unknown authority's") {
        const auto server = serve(authority.issue("localhost"));
        spec.url = server->url("/connection", "localhost");
        CHECK(
            http.call(spec) ==
            "retry: POST " + spec.url + ": SSL certificate problem: unable to get local issuer certificate"
        );
        CHECK(server->requests(0).empty());
    }
    SECTION("one that has expired") {
        const auto server = serve(authority.issue("localhost", -1));
        spec.url = server->url("/connection", "localhost");
        spec.ca_file = authority.file();
        CHECK(http.call(spec) == "retry: POST " + spec.url + ": SSL certificate problem: certificate has expired");
    }
}

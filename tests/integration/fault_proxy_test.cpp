// What the fault tests stand on: each fault of the proxy is what its name says.

#include "tests/support/fault_proxy.hpp"

#include "db/connection.hpp"
#include "db/error.hpp"
#include "db/session.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

const db::Statement echo_sql{"", "select 'here'::text"};

constexpr auto short_wait = 300ms;  // where silence is what is expected

struct ProxyBed {
    tests::TestDatabase database;
    tests::FaultProxy proxy{tests::server_socket()};
    asio::io_context context;

    db::Session connect(std::chrono::milliseconds limit = 10s) {
        const db::ConnectionSettings settings{.url = proxy.url(database.name()), .connect_timeout = limit};
        return db::Session(tests::run(context, [&] { return db::Connection::open(context.get_executor(), settings); }));
    }
    // "here", "silence" until the limit, or how it failed.
    std::string ask(db::Session& session, std::chrono::milliseconds limit = 10s) {
        try {
            return tests::run(context, [&]() -> asio::awaitable<std::string> {
                session.connection().send(echo_sql, {});
                const std::vector<db::Rows> answers = co_await session.connection().exchange(limit);
                co_return answers.front().front().get<std::string>(0);
            });
        } catch (const db::Error& error) {
            return error.kind() == db::ErrorKind::deadline ? "silence" : error.what();
        }
    }
};

}  // namespace

TEST_CASE("FaultProxy passes everything, slowly when told", "[support][faults]") {
    ProxyBed test;
    db::Session session = test.connect();
    CHECK(test.ask(session) == "here");
    test.proxy.delay(20ms);
    CHECK(test.ask(session) == "here");
    test.proxy.delay(1s);
    CHECK(test.ask(session, short_wait) == "silence");
    test.proxy.pass();
    test.proxy.throttle(20'000);
    db::Session narrow = test.connect();
    CHECK(test.ask(narrow) == "here");
    test.proxy.throttle(20);
    CHECK(test.ask(narrow, short_wait) == "silence");
}

TEST_CASE("FaultProxy cuts what is open and lets others in", "[support][faults]") {
    ProxyBed test;
    db::Session session = test.connect();
    CHECK(test.proxy.open() == 1);
    test.proxy.cut();
    CHECK_THAT(test.ask(session), Catch::Contains("connection lost"));
    db::Session next = test.connect();
    CHECK(test.ask(next) == "here");
    CHECK(test.proxy.accepted() == 2);
}

TEST_CASE("FaultProxy silences what is open for ever, and lets others in", "[support][faults]") {
    ProxyBed test;
    db::Session session = test.connect();
    test.proxy.half_open();
    test.proxy.pass();
    db::Session next = test.connect();
    CHECK(test.ask(next) == "here");
    CHECK(test.ask(session, short_wait) == "silence");
}

TEST_CASE("FaultProxy swallows everything in a black hole, and passes it on afterwards", "[support][faults]") {
    ProxyBed test;
    db::Session session = test.connect();
    test.proxy.black_hole();
    CHECK_THROWS_WITH(test.connect(short_wait), Catch::Contains("no connection to 127.0.0.1"));
    const std::future<void> later = std::async(std::launch::async, [&] {
        while (test.proxy.accepted() < 3) std::this_thread::yield();
        test.proxy.pass();
    });
    db::Session held = test.connect();  // gets through once the hole has ended
    CHECK(test.ask(held) == "here");
    CHECK(test.ask(session) == "here");
}

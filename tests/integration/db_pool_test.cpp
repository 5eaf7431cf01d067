#include "tests/support/catch.hpp"
#include "tests/support/pool_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

using namespace tests;
using namespace std::chrono_literals;
using Catch::Contains;
namespace asio = boost::asio;
template <class T = void>
using awaitable = boost::asio::awaitable<T>;

TEST_CASE("checkout reuses the session that came back last, without a ping", "[db][pool]") {
    PoolFixture fixture;
    fixture.run([&]() -> awaitable<> {
        for (int i = 0; i < 10; ++i) {
            db::Session session = co_await fixture.pool.checkout();
            co_await pid_of(session);
        }
        CHECK(fixture.pings == 0);
        const db::PoolStats stats = fixture.pool.stats();
        CHECK(stats.opened == 1);
        CHECK(stats.checkouts == 10);
        CHECK(stats.checked_in == 1);
    });
}

TEST_CASE("on many threads no session that was in use a moment ago is pinged", "[db][pool]") {
    PoolFixture fixture;
    boost::asio::thread_pool threads(4);
    db::Pool pool(
        threads.get_executor(),
        fixture.connection_settings(Route::usual),
        {.pool_size = 2, .max_overflow = 0},
        fixture.hooks()
    );
    const auto take_turns = [&]() -> awaitable<> {
        for (int i = 0; i < 20'000; ++i) const db::Session session = co_await pool.checkout();
    };
    std::vector<std::future<void>> all;
    for (int i = 0; i < 4; ++i) all.push_back(boost::asio::co_spawn(threads, take_turns, boost::asio::use_future));
    for (std::future<void>& one : all) one.get();
    CHECK(pool.stats().checkouts == 80'000);
    CHECK(fixture.pings == 0);
    threads.stop();  // the pool's timers
    threads.join();
}

TEST_CASE("pre_ping_after: a connection idle for longer is pinged before it is lent", "[db][pool][setting]") {
    db::PoolSettings settings;
    settings.pre_ping_after = 0ms;
    settings.pool_pre_ping = GENERATE(true, false);
    PoolFixture fixture(settings);
    fixture.run([&]() -> awaitable<> {
        {
            const db::Session session = co_await fixture.pool.checkout();
        }
        {
            const db::Session session = co_await fixture.pool.checkout();
        }
        CHECK(fixture.pings == (settings.pool_pre_ping ? 1 : 0));
    });
}

TEST_CASE("pool_size and max_overflow: what is open beyond pool_size closes on return", "[db][pool][setting]") {
    db::PoolSettings settings;
    settings.pool_size = 2;
    settings.max_overflow = 1;
    settings.pool_timeout = 300ms;  // within which both connections open
    PoolFixture fixture(settings);
    fixture.run([&]() -> awaitable<> {
        {
            std::vector<db::Session> sessions;
            for (int i = 0; i < 3; ++i) sessions.push_back(co_await fixture.pool.checkout());
            CHECK(fixture.pool.stats().overflow == 1);
            CHECK_FALSE(fixture.pool.try_checkout());
            const auto failure = co_await failure_of(fixture.pool);
            REQUIRE(failure);
            CHECK(failure->kind() == db::ErrorKind::pool_timeout);
        }
        const db::PoolStats stats = fixture.pool.stats();
        CHECK(stats.checked_in == 2);
        CHECK(stats.overflow == 0);
        CHECK(closed(stats, db::CloseReason::overflow) == 1);
    });
}

TEST_CASE(
    "pool_timeout: the error says how full the pool is, who holds longest and what to change", "[db][pool][setting]"
) {
    db::PoolSettings settings;
    settings.pool_size = 1;
    settings.max_overflow = 1;
    settings.pool_timeout = 300ms;            // within which both connections open
    const bool warm = GENERATE(true, false);  // lent at once, or after a wait
    PoolFixture fixture(settings);
    const std::string text = fixture.run([&]() -> awaitable<std::string> {
        if (warm) const db::Session first = co_await fixture.pool.checkout();
        const std::uint_least32_t line = std::source_location::current().line() + 1;
        const db::Session oldest = co_await fixture.pool.checkout();
        const db::Session other = co_await fixture.pool.checkout();
        const auto failure = co_await failure_of(fixture.pool);
        if (!failure) co_return "no error";
        CHECK_THAT(
            failure->what(), Contains("the longest holder, integration/db_pool_test.cpp:" + std::to_string(line))
        );
        co_return failure->what();
    });
    CHECK_THAT(text, Contains("within 300 ms: pool_size 1, overflow 1 of max_overflow 1, checked_out 2, waiting 1"));
    CHECK_THAT(text, Contains(", has had its session for ") && Contains("raise pool_size or max_overflow"));
    CHECK(fixture.pool.stats().timeouts == 1);
    CHECK(fixture.pool.stats().waiting == 0);
}

TEST_CASE("checkout fails with what the server said when it cannot connect", "[db][pool]") {
    PoolFixture fixture({}, Route::nowhere);
    fixture.run([&]() -> awaitable<> {
        std::vector<std::string> texts;
        for (int i = 0; i < 20; ++i) {
            const auto waiter = [](db::Pool& pool, std::vector<std::string>& said) -> awaitable<> {
                const auto failure = co_await failure_of(pool);
                said.emplace_back(failure ? failure->what() : "");
            };
            asio::co_spawn(fixture.context, waiter(fixture.pool, texts), asio::detached);
        }
        co_await fixture.until([&](const db::PoolStats&) { return texts.size() == 20; });
        for (const std::string& text : texts) {
            CHECK_THAT(text, Contains("database \"no_such_database\" does not exist"));
        }
    });
}

TEST_CASE("while connects fail the pool tries seldom, and serves all who wait once one works", "[db][pool]") {
    if (skipped_without_direct("a pooler has back-offs of its own")) return;
    PoolFixture fixture({}, Route::direct);
    const auto let_in = [&](bool open) {
        psql(
            server_url(),
            "alter database " + fixture.database.name() + " with allow_connections " + (open ? "true" : "false")
        );
    };
    let_in(false);
    fixture.run([&]() -> awaitable<> {
        int refused = 0;
        int served = 0;
        const auto stubborn = [&]() -> awaitable<> {
            while (const auto failure = co_await failure_of(fixture.pool)) {
                CHECK_THAT(failure->what(), Contains("is not currently accepting connections"));
                ++refused;
            }
            ++served;
        };
        for (int i = 0; i < 20; ++i) asio::co_spawn(fixture.context, stubborn(), asio::detached);
        co_await fixture.until([&](const db::PoolStats&) { return refused >= 60; });
        CHECK(
            fixture.pool.stats().connect_failures <= 8 + 2
        );  // those of the beginning, and one for each time all were refused
        let_in(true);
        co_await fixture.until([&](const db::PoolStats&) { return served == 20; });
    });
}

TEST_CASE("pool_recycle: a connection of age is replaced while nobody asks for one", "[db][pool][setting]") {
    if (skipped_without_direct("a pooler gives no session to keep")) return;
    db::PoolSettings settings;
    settings.pool_recycle = 1s;
    PoolFixture fixture(settings, Route::direct);
    fixture.run([&]() -> awaitable<> {
        {
            const db::Session session = co_await fixture.pool.checkout();
        }
        co_await fixture.until([](const db::PoolStats& stats) { return closed(stats, db::CloseReason::recycled) == 1; }
        );
        CHECK(fixture.pool.stats().opened == 2);
        CHECK(fixture.pool.stats().checked_in == 1);
        std::optional<db::Session> session = fixture.pool.try_checkout();  // nobody had to wait
        REQUIRE(session);
        co_await pid_of(*session);
    });
}

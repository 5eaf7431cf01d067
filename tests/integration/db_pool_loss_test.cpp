// Sessions that come back dead, broken or inside a transaction.
#include "db/transaction.hpp"
#include "db/url.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/pool_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

using namespace tests;
using namespace std::chrono_literals;
template <class T = void>
using awaitable = boost::asio::awaitable<T>;

namespace {

const db::Statement create_sql{"test_create", "create table numbers (n integer primary key)"};
const db::Statement insert_sql{"test_insert", "insert into numbers values ($1::integer)"};
const db::Statement count_sql{"test_count", "select count(*) from numbers"};

}  // namespace

TEST_CASE("pool_pre_ping: no session of a terminated backend is lent", "[db][pool][setting]") {
    db::PoolSettings settings;
    settings.pool_pre_ping = GENERATE(true, false);
    if (skipped_without_direct("it needs server processes of its own")) return;
    PoolFixture fixture(settings, Route::direct);
    fixture.run([&]() -> awaitable<> {
        std::vector<std::int64_t> pids;
        {
            db::Session one = co_await fixture.pool.checkout();
            db::Session two = co_await fixture.pool.checkout();
            pids = {co_await pid_of(one), co_await pid_of(two)};
        }
        fixture.database.psql(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid "
            "<> pg_backend_pid()"
        );
        db::Session session = co_await fixture.pool.checkout();
        std::optional<db::Error> failure;
        try {
            const std::int64_t pid = co_await pid_of(session);
            CHECK(std::ranges::find(pids, pid) == pids.end());
        } catch (const db::Error& error) {
            failure = error;
        }
        CHECK(failure.has_value() == !settings.pool_pre_ping);
        // One was found dead: the other is not even looked at.
        if (settings.pool_pre_ping) CHECK(fixture.pool.stats().invalid == 2);
    });
}

TEST_CASE(
    "pool_pre_ping: a session that died in its holder's hands is not handed on to who waits", "[db][pool][setting]"
) {
    db::PoolSettings settings;
    settings.pool_size = 1;
    settings.max_overflow = 0;
    if (skipped_without_direct("it needs server processes of its own")) return;
    PoolFixture fixture(settings, Route::direct);
    fixture.run([&]() -> awaitable<> {
        std::optional<db::Session> held = co_await fixture.pool.checkout();
        const std::int64_t dead = co_await pid_of(*held);
        std::optional<std::int64_t> pid;
        std::optional<db::Error> failure;
        bool served = false;
        const auto waiter = [&]() -> awaitable<> {
            try {
                db::Session session = co_await fixture.pool.checkout();
                pid = co_await pid_of(session);
            } catch (const db::Error& error) {
                failure = error;
            }
            served = true;
        };
        boost::asio::co_spawn(fixture.context, waiter, boost::asio::detached);
        co_await fixture.until([](const db::PoolStats& stats) { return stats.waiting == 1; });
        fixture.database.psql("select pg_terminate_backend(" + std::to_string(dead) + ", 5000)");
        held.reset();
        co_await fixture.until([&](const db::PoolStats&) { return served; });
        CHECK((failure ? failure->what() : std::string()) == "");
        CHECK(pid.value_or(dead) != dead);
        CHECK(fixture.pool.stats().invalid == 1);
    });
}

TEST_CASE("pool_pre_ping: after a restart of the server no session of the time before is lent", "[db][pool][setting]") {
    const auto how = GENERATE(OwnServer::Stop::fast, OwnServer::Stop::immediate);
    OwnServer server;
    boost::asio::io_context context;
    db::Pool pool(context.get_executor(), {.url = server.url()}, {});
    run(context, [&]() -> awaitable<> {
        {
            const db::Session one = co_await pool.checkout();
            const db::Session two = co_await pool.checkout();
            const db::Session three = co_await pool.checkout();
        }
        server.stop(how);
        server.start();
        db::Session one = co_await pool.checkout();
        db::Session two = co_await pool.checkout();
        co_await pid_of(one);
        co_await pid_of(two);
        CHECK(pool.stats().invalid == 3);
    });
}

TEST_CASE(
    "pre_ping_after: of connections idle for longer that died without a word none is lent", "[db][pool][setting]"
) {
    db::PoolSettings settings;
    settings.pre_ping_after = 0ms;
    settings.pool_timeout = 10s;
    PoolFixture fixture;
    FaultProxy network(db::parse_url(server_url())->hosts.front().name + "/.s.PGSQL.5432");
    db::Pool pool(
        fixture.context.get_executor(), {.url = network.url(fixture.database.name())}, settings, fixture.hooks()
    );
    fixture.run([&]() -> awaitable<> {
        {
            const db::Session one = co_await pool.checkout();
            const db::Session two = co_await pool.checkout();
        }
        network.half_open();
        db::Session session = co_await pool.checkout();
        co_await pid_of(session);
        CHECK(fixture.pings == 1);  // one was found dead: the other is not even asked
        CHECK(pool.stats().invalid == 2);
    });
}

TEST_CASE("pre_ping_after: a connection that died without a word while it was lent is not lent again", "[db][pool]") {
    PoolFixture fixture;
    FaultProxy network(db::parse_url(server_url())->hosts.front().name + "/.s.PGSQL.5432");
    db::PoolSettings settings;
    settings.pre_ping_after = 1ms;
    settings.pool_timeout = 10s;
    db::Pool pool(
        fixture.context.get_executor(), {.url = network.url(fixture.database.name())}, settings, fixture.hooks()
    );
    fixture.run([&]() -> awaitable<> {
        {
            db::Session held = co_await pool.checkout();
            co_await pid_of(held);
            network.half_open();
            boost::asio::steady_timer longer(fixture.context, 5ms);
            co_await longer.async_wait(boost::asio::use_awaitable);
        }
        db::Session session = co_await pool.checkout();
        co_await pid_of(session);
        CHECK(pool.stats().invalid == 1);
    });
}

TEST_CASE("a session that lost its connection takes the older ones with it", "[db][pool]") {
    if (skipped_without_direct("it needs server processes of its own")) return;
    PoolFixture fixture({}, Route::direct);
    fixture.run([&]() -> awaitable<> {
        {
            db::Session idle = co_await fixture.pool.checkout();
            db::Session dying = co_await fixture.pool.checkout();
            const std::int64_t pid = co_await pid_of(dying);
            fixture.database.psql("select pg_terminate_backend(" + std::to_string(pid) + ", 5000)");
            std::optional<db::Error> failure;
            try {
                co_await pid_of(dying);
            } catch (const db::Error& error) {
                failure = error;
            }
            REQUIRE(failure);
            CHECK(failure->is_connection_lost());
        }
        const db::PoolStats stats = fixture.pool.stats();
        CHECK(stats.checked_in == 0);
        CHECK(closed(stats, db::CloseReason::invalid) == 2);
    });
}

TEST_CASE("a session that only broke a rule leaves the other connections alone", "[db][pool]") {
    PoolFixture fixture;
    fixture.run([&]() -> awaitable<> {
        {
            db::Session good = co_await fixture.pool.checkout();
            db::Session bad = co_await fixture.pool.checkout();
            bad.connection().send(pid_sql, {});  // and never reads the answer
        }
        const db::PoolStats stats = fixture.pool.stats();
        CHECK(stats.checked_in == 1);
        CHECK(stats.invalid == 0);
        CHECK(closed(stats, db::CloseReason::dirty) == 1);
    });
}

TEST_CASE("a session dropped inside a transaction is rolled back before it is lent again", "[db][pool]") {
    db::PoolSettings settings;
    settings.pool_size = 1;
    settings.max_overflow = 0;
    PoolFixture fixture(settings);
    fixture.run([&]() -> awaitable<> {
        {
            db::Session session = co_await fixture.pool.checkout();
            co_await session.execute(create_sql);
            db::begin(session);
            co_await session.execute(insert_sql, 1);
        }
        db::Session session = co_await fixture.pool.checkout();
        CHECK(fixture.pool.stats().opened == 1);
        const db::Rows rows = co_await session.execute(count_sql);
        CHECK(rows.front().get<int>(0) == 0);
        CHECK_FALSE(session.connection().in_transaction());
    });
}

TEST_CASE("of connections that died without a word one misses its deadline, and all are gone", "[db][pool]") {
    PoolFixture fixture;
    FaultProxy network(db::parse_url(server_url())->hosts.front().name + "/.s.PGSQL.5432");
    const db::ConnectionSettings settings{
        .url = network.url(fixture.database.name()), .statement_timeout = 500ms, .grace = 500ms
    };
    db::Pool pool(fixture.context.get_executor(), settings, {}, fixture.hooks());
    fixture.run([&]() -> awaitable<> {
        {
            const db::Session idle = co_await pool.checkout();
            db::Session used = co_await pool.checkout();
            const db::Session other = co_await pool.checkout();
            network.half_open();
            std::optional<db::ErrorKind> kind;
            try {
                co_await pid_of(used);
            } catch (const db::Error& error) {
                kind = error.kind();
            }
            CHECK(kind == db::ErrorKind::deadline);
        }
        CHECK(pool.stats().checked_in == 0);
        CHECK(closed(pool.stats(), db::CloseReason::invalid) == 3);
        db::Session fresh = co_await pool.checkout();
        co_await pid_of(fresh);
        CHECK(fixture.pings == 0);
    });
}

TEST_CASE("a plan whose result type a migration changed costs its connection one try", "[db][pool]") {
    if (skipped_without_direct("a pooler's sessions prepare nothing")) return;
    PoolFixture fixture({.pool_size = 1, .max_overflow = 0}, Route::direct);
    const db::Statement everything_sql{"test_everything", "select * from numbers"};
    const auto read = [&]() -> awaitable<std::string> {
        try {
            db::Session session = co_await fixture.pool.checkout();
            co_return std::to_string((co_await session.execute(everything_sql)).size());
        } catch (const db::Error& error) {
            co_return error.sqlstate();
        }
    };
    fixture.database.psql("create table numbers (n integer)");
    fixture.run([&]() -> awaitable<> {
        CHECK(co_await read() == "0");
        fixture.database.psql("alter table numbers add m integer");
        CHECK(co_await read() == "0A000");
        CHECK(co_await read() == "0");
    });
}

#include "db/connection.hpp"
#include "db/error.hpp"
#include "db/pool.hpp"
#include "db/transaction.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <source_location>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using Catch::Contains;
namespace asio = boost::asio;
template <class T = void>
using awaitable = asio::awaitable<T>;

namespace {

const db::Statement pid_sql{"test_pid", "select pg_backend_pid()"};
const db::Statement create_sql{"test_create", "create table numbers (n integer primary key)"};
const db::Statement insert_sql{"test_insert", "insert into numbers values ($1::integer)"};
const db::Statement count_sql{"test_count", "select count(*) from numbers"};

enum class Route {
    usual,    // through the pooler where the tests run behind one
    direct,   // sessions are server processes
    nowhere,  // to a database that does not exist
};

// A pool on a database of its own, and the pings that it sent.
struct Fixture {
    explicit Fixture(const db::PoolSettings& settings = {}, Route route = Route::usual)
        : pool(context.get_executor(), connection_settings(route), settings, hooks()) {}

    db::ConnectionSettings connection_settings(Route route) const {
        if (route == Route::direct) return database.direct_settings();
        db::ConnectionSettings settings = database.settings();
        if (route == Route::nowhere) settings = {.url = tests::server_url("no_such_database")};
        return settings;
    }

    db::Hooks hooks() {
        db::Hooks hooks;
        hooks.on_statement = [this](std::string_view statement, std::chrono::nanoseconds, const db::Error*) {
            if (statement == "ping") ++pings;
        };
        hooks.on_connect_failure = [this](const db::Error&) { ++connect_failures; };
        return hooks;
    }
    template <class Body>
    auto run(Body body) {
        return tests::run(context, body);
    }
    // Returns when the pool's numbers are as asked.
    template <class Condition>
    awaitable<> until(Condition holds) {
        asio::steady_timer timer(context);
        for (int i = 0; i < 1'000 && !holds(pool.stats()); ++i) {
            timer.expires_after(10ms);
            co_await timer.async_wait(asio::use_awaitable);
        }
        if (!holds(pool.stats())) throw std::runtime_error("the pool never came to what the test waits for");
    }

    const tests::TestDatabase database;
    asio::io_context context;
    std::atomic<int> pings = 0;
    std::atomic<int> connect_failures = 0;
    db::Pool pool;
};

awaitable<std::int64_t> pid_of(db::Session& session) {
    const db::Rows rows = co_await session.execute(pid_sql);
    co_return rows.front().get<std::int64_t>(0);
}

std::uint64_t closed(const db::PoolStats& stats, db::CloseReason reason) {
    return stats.closed[static_cast<std::size_t>(reason)];
}

// What checkout says when it fails.
awaitable<std::optional<db::Error>> failure_of(db::Pool& pool) {
    try {
        const db::Session session = co_await pool.checkout();
    } catch (const db::Error& error) {
        co_return error;
    }
    co_return std::nullopt;
}

}  // namespace

TEST_CASE("checkout reuses the session that came back last, without a ping", "[db][pool]") {
    Fixture fixture;
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

TEST_CASE("pre_ping_after: a connection idle for longer is pinged before it is lent", "[db][pool][setting]") {
    db::PoolSettings settings;
    settings.pre_ping_after = 0ms;
    settings.pool_pre_ping = GENERATE(true, false);
    Fixture fixture(settings);
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

TEST_CASE("pool_pre_ping: no session of a terminated backend is lent", "[db][pool][setting]") {
    db::PoolSettings settings;
    settings.pool_pre_ping = GENERATE(true, false);
    if (tests::skipped_without_direct("it needs server processes of its own")) return;
    Fixture fixture(settings, Route::direct);
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

TEST_CASE("a session that lost its connection takes the older ones with it", "[db][pool]") {
    if (tests::skipped_without_direct("it needs server processes of its own")) return;
    Fixture fixture({}, Route::direct);
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
    Fixture fixture;
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
    Fixture fixture(settings);
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

TEST_CASE("pool_size and max_overflow: what is open beyond pool_size closes on return", "[db][pool][setting]") {
    db::PoolSettings settings;
    settings.pool_size = 2;
    settings.max_overflow = 1;
    settings.pool_timeout = 50ms;
    Fixture fixture(settings);
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
    settings.pool_timeout = 50ms;
    const bool warm = GENERATE(true, false);  // lent at once, or after a wait
    Fixture fixture(settings);
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
    CHECK_THAT(text, Contains("within 0 s: pool_size 1, overflow 1 of max_overflow 1, checked_out 2, waiting 1"));
    CHECK_THAT(text, Contains("has had its session for 0 s") && Contains("raise pool_size or max_overflow"));
    CHECK(fixture.pool.stats().timeouts == 1);
    CHECK(fixture.pool.stats().waiting == 0);
}

TEST_CASE("waiters are served first in, first out", "[db][pool]") {
    db::PoolSettings settings;
    settings.pool_size = 1;
    settings.max_overflow = 0;
    Fixture fixture(settings);
    fixture.run([&]() -> awaitable<> {
        std::vector<int> order;
        std::optional<db::Session> held = co_await fixture.pool.checkout();
        for (int i = 0; i < 8; ++i) {
            const auto waiter = [](db::Pool& pool, std::vector<int>& served, int number) -> awaitable<> {
                db::Session session = co_await pool.checkout();
                served.push_back(number);
                co_await pid_of(session);
            };
            asio::co_spawn(fixture.context, waiter(fixture.pool, order, i), asio::detached);
            co_await fixture.until([i](const db::PoolStats& stats) { return stats.waiting == i + 1; });
        }
        held.reset();
        co_await fixture.until([](const db::PoolStats& stats) { return stats.checked_in == 1; });
        CHECK(order == std::vector{0, 1, 2, 3, 4, 5, 6, 7});
    });
}

TEST_CASE("a cancelled checkout leaves the line, and the next one is served", "[db][pool]") {
    db::PoolSettings settings;
    settings.pool_size = 1;
    settings.max_overflow = 0;
    Fixture fixture(settings);
    fixture.run([&]() -> awaitable<> {
        asio::cancellation_signal signal;
        std::optional<db::ErrorKind> kind;
        bool served = false;
        std::optional<db::Session> held = co_await fixture.pool.checkout();
        const auto cancelled = [](db::Pool& pool, std::optional<db::ErrorKind>& ended) -> awaitable<> {
            const auto failure = co_await failure_of(pool);
            if (failure) ended = failure->kind();
        };
        const auto patient = [](db::Pool& pool, bool& done) -> awaitable<> {
            const db::Session session = co_await pool.checkout();
            done = true;
        };
        asio::co_spawn(
            fixture.context, cancelled(fixture.pool, kind), asio::bind_cancellation_slot(signal.slot(), asio::detached)
        );
        asio::co_spawn(fixture.context, patient(fixture.pool, served), asio::detached);
        co_await fixture.until([](const db::PoolStats& stats) { return stats.waiting == 2; });
        signal.emit(asio::cancellation_type::terminal);
        co_await fixture.until([](const db::PoolStats& stats) { return stats.waiting == 1; });
        held.reset();
        co_await fixture.until([&](const db::PoolStats& stats) { return served && stats.checked_in == 1; });
        CHECK(kind == db::ErrorKind::closed);
        CHECK(fixture.pool.stats().timeouts == 0);
    });
}

TEST_CASE("checkout fails with what the server said when it cannot connect", "[db][pool]") {
    Fixture fixture({}, Route::nowhere);
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
    if (tests::skipped_without_direct("a pooler has back-offs of its own")) return;
    Fixture fixture({}, Route::direct);
    const auto let_in = [&](bool open) {
        tests::psql(
            tests::server_url(),
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
        CHECK(fixture.connect_failures <= 8 + 2);  // those of the beginning, and one for each time all were refused
        let_in(true);
        co_await fixture.until([&](const db::PoolStats&) { return served == 20; });
    });
}

TEST_CASE("pool_recycle: a connection of age is replaced while nobody asks for one", "[db][pool][setting]") {
    if (tests::skipped_without_direct("a pooler gives no session to keep")) return;
    db::PoolSettings settings;
    settings.pool_recycle = 1s;
    Fixture fixture(settings, Route::direct);
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

TEST_CASE("drain refuses new callers and waits for the sessions on loan", "[db][pool]") {
    Fixture fixture;
    fixture.run([&]() -> awaitable<> {
        std::optional<db::Session> held = co_await fixture.pool.checkout();
        {
            const db::Session other = co_await fixture.pool.checkout();
        }
        bool drained = false;
        const auto drain = [](db::Pool& pool, bool& done) -> awaitable<> {
            co_await pool.drain(std::chrono::steady_clock::now() + 60s);
            done = true;
        };
        asio::co_spawn(fixture.context, drain(fixture.pool, drained), asio::detached);
        co_await fixture.until([](const db::PoolStats& stats) { return stats.checked_in == 0; });
        const auto failure = co_await failure_of(fixture.pool);
        REQUIRE(failure);
        CHECK(failure->kind() == db::ErrorKind::closed);
        co_await pid_of(*held);  // whatever is due has run by then
        CHECK_FALSE(drained);
        held.reset();
        co_await fixture.until([&](const db::PoolStats&) { return drained; });
        CHECK(closed(fixture.pool.stats(), db::CloseReason::shutdown) == 2);
        co_await fixture.pool.drain(std::chrono::steady_clock::now() + 10s);  // empty: at once
    });
}

TEST_CASE("drain gives up at its deadline", "[db][pool]") {
    Fixture fixture;
    fixture.run([&]() -> awaitable<> {
        const db::Session held = co_await fixture.pool.checkout();
        co_await fixture.pool.drain(std::chrono::steady_clock::now() + 20ms);
        CHECK(fixture.pool.stats().checked_out == 1);
    });
}

TEST_CASE("many coroutines on many threads share a few connections", "[db][pool]") {
    if (tests::skipped_without_direct("a pooler gives no session to keep")) return;
    db::PoolSettings settings;
    settings.pool_size = 3;
    settings.max_overflow = 2;
    Fixture fixture(settings, Route::direct);
    std::atomic<int> done = 0;
    std::atomic<int> wrong = 0;
    std::mutex mutex;
    std::set<const db::Connection*> in_use;
    const auto work = [&](int number) -> awaitable<> {
        for (int i = 0; i < 50; ++i) {
            db::Session session = co_await fixture.pool.checkout();
            const db::Connection* const connection = &session.connection();
            mutex.lock();
            if (!in_use.insert(connection).second) ++wrong;
            mutex.unlock();
            co_await pid_of(session);
            if ((number + i) % 7 == 0) db::begin(session);
            if ((number + i) % 7 == 0) co_await pid_of(session);  // comes back inside a transaction
            mutex.lock();
            in_use.erase(connection);
            mutex.unlock();
        }
        if (++done == 40) fixture.context.stop();
    };
    for (int i = 0; i < 40; ++i) {
        asio::co_spawn(fixture.context, work(i), [](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);
        });
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { fixture.context.run_for(60s); });
    for (std::thread& thread : threads) thread.join();
    CHECK(done == 40);
    CHECK(wrong == 0);
    CHECK(fixture.pool.stats().checkouts == 2'000);
    CHECK(fixture.pool.stats().opened <= 5 + closed(fixture.pool.stats(), db::CloseReason::overflow));
}

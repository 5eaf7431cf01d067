// Who waits for a session, and the end of a pool.
#include "db/transaction.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/pool_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

using namespace tests;
using namespace std::chrono_literals;
namespace asio = boost::asio;
template <class T = void>
using awaitable = boost::asio::awaitable<T>;

TEST_CASE("waiters are served first in, first out", "[db][pool]") {
    db::PoolSettings settings;
    settings.pool_size = 1;
    settings.max_overflow = 0;
    PoolFixture fixture(settings);
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
    PoolFixture fixture(settings);
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

TEST_CASE("the pool counts how long each checkout waited, and how long each session was held", "[db][pool]") {
    const TestDatabase database;
    asio::io_context context;
    db::PoolSettings settings;
    settings.pool_size = 1;
    settings.max_overflow = 0;
    db::Pool pool(context.get_executor(), database.settings(), settings);
    const auto waited = [&] { return pool.stats().waits.sum(); };
    run(context, [&]() -> awaitable<> {
        const auto before = std::chrono::steady_clock::now();
        std::optional<db::Session> session = co_await pool.checkout();
        const auto connected = std::chrono::steady_clock::now() - before;
        const auto first = waited();
        CHECK((first > 0ns && first <= connected));
        session.reset();
        session = co_await pool.checkout();
        CHECK(waited() == first);  // it was free
        bool served = false;
        const auto wait = [](db::Pool& from, bool& done) -> awaitable<> {
            const db::Session late = co_await from.checkout();
            done = true;
        };
        asio::co_spawn(context, wait(pool, served), asio::detached);
        const auto lent = std::chrono::steady_clock::now();
        while (pool.stats().waiting == 0) co_await pid_of(*session);
        co_await pid_of(*session);
        const auto held = std::chrono::steady_clock::now() - lent;
        session.reset();
        while (!served) co_await asio::post(context, asio::use_awaitable);
        CHECK(waited() > first);  // in line
        CHECK(pool.stats().waits.count() == 3);
        CHECK(pool.stats().holds.count() == 3);
        CHECK(pool.stats().holds.sum() >= held);
    });
}

TEST_CASE("drain refuses new callers and waits for the sessions on loan", "[db][pool]") {
    PoolFixture fixture;
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
    PoolFixture fixture;
    fixture.run([&]() -> awaitable<> {
        const db::Session held = co_await fixture.pool.checkout();
        co_await fixture.pool.drain(std::chrono::steady_clock::now() + 20ms);
        CHECK(fixture.pool.stats().checked_out == 1);
    });
}

TEST_CASE("many coroutines on many threads share a few connections", "[db][pool]") {
    if (skipped_without_direct("a pooler gives no session to keep")) return;
    db::PoolSettings settings;
    settings.pool_size = 3;
    settings.max_overflow = 2;
    PoolFixture fixture(settings, Route::direct);
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

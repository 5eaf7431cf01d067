// Calls that are cancelled, and how their connections close.
#include "db/cancel.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/pool_fixture.hpp"
#include "tests/support/session_fixture.hpp"
#include "tests/support/silence_bed.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <thread>

using namespace tests;
using namespace std::chrono_literals;
namespace asio = boost::asio;
template <class T = void>
using awaitable = asio::awaitable<T>;

namespace {

template <class Condition>
awaitable<> until(Condition holds) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!holds()) {
        timer.expires_after(1ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

// The ports of this process's ends of its connections to that port.
std::set<int> ends_at(int port) {
    std::set<int> ends;
    for (int descriptor = 0; descriptor < 1'024; ++descriptor) {
        sockaddr_in far{};
        sockaddr_in near{};
        socklen_t size = sizeof(far);
        if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&far), &size) != 0) continue;
        if (far.sin_family != AF_INET || ntohs(far.sin_port) != port) continue;
        size = sizeof(near);
        if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&near), &size) == 0) ends.insert(ntohs(near.sin_port));
    }
    return ends;
}

}  // namespace

TEST_CASE("a cancelled statement ends at once, on the server too, and its connection is closed", "[db][deadline]") {
    PoolFixture fixture;
    fixture.run([&]() -> awaitable<> {
        std::optional<db::ErrorKind> kind;
        const auto work = [&]() -> awaitable<> {
            db::Session session = co_await fixture.pool.checkout();
            kind = co_await failure_of([&] { return session.execute(sleep_sql); });
        };
        asio::cancellation_signal signal;
        asio::co_spawn(fixture.context, work(), asio::bind_cancellation_slot(signal.slot(), asio::detached));
        co_await fixture.until([&](const db::PoolStats&) { return asleep(fixture.database) == 1; });
        signal.emit(asio::cancellation_type::terminal);
        co_await fixture.until([](const db::PoolStats& stats) { return stats.checked_out == 0; });
        CHECK(kind == db::ErrorKind::closed);
        CHECK(closed(fixture.pool.stats(), db::CloseReason::dirty) == 1);
        await_asleep(fixture.database, 0);
    });
}

// Else the server would have one connection more than the budget says, for as long as nobody answers.
TEST_CASE("a pool that is full opens none before the server let go of a cancelled one", "[db][pool][deadline]") {
    SilenceBed bed;
    asio::io_context context;
    db::PoolSettings one;
    one.pool_size = 1;
    one.max_overflow = 0;
    db::ConnectionSettings through = bed.through();
    through.statement_timeout = 60s;
    db::Pool pool(context.get_executor(), through, one);
    run(context, [&]() -> awaitable<> {
        std::optional<db::ErrorKind> kind;
        bool served = false;
        const auto work = [&]() -> awaitable<> {
            db::Session session = co_await pool.checkout();
            kind = co_await failure_of([&] { return session.execute(sleep_sql); });
        };
        const auto wait = [&]() -> awaitable<> {
            const db::Session session = co_await pool.checkout();
            served = true;
        };
        asio::cancellation_signal signal;
        asio::co_spawn(context, work(), asio::bind_cancellation_slot(signal.slot(), asio::detached));
        co_await until([&] { return asleep(bed.database) == 1; });
        asio::co_spawn(context, wait(), asio::detached);
        co_await until([&] { return pool.stats().waiting == 1; });
        bed.network.black_hole();  // so that the request to cancel is not answered
        signal.emit(asio::cancellation_type::terminal);
        co_await until([&] { return kind.has_value(); });
        CHECK(pool.stats().waiting == 1);
        CHECK(pool.stats().checked_out == 1);
        CHECK(closed(pool.stats(), db::CloseReason::dirty) == 0);
        bed.network.pass();
        co_await until([&] { return served; });
        CHECK(closed(pool.stats(), db::CloseReason::dirty) == 1);
        CHECK(pool.stats().opened == 2);
    });
}

TEST_CASE("the end of a pool does not wait for the answer to a request to cancel", "[db][pool][deadline]") {
    SilenceBed bed;
    asio::io_context context;
    db::ConnectionSettings through = bed.through();
    through.statement_timeout = 60s;
    db::Pool pool(context.get_executor(), through, {});
    run(context, [&]() -> awaitable<> {
        bool ended = false;
        const auto work = [&]() -> awaitable<> {
            db::Session session = co_await pool.checkout();
            co_await failure_of([&] { return session.execute(sleep_sql); });
            ended = true;
        };
        asio::cancellation_signal signal;
        asio::co_spawn(context, work(), asio::bind_cancellation_slot(signal.slot(), asio::detached));
        co_await until([&] { return asleep(bed.database) == 1; });
        bed.network.black_hole();  // the request to cancel lasts for 2 s
        signal.emit(asio::cancellation_type::terminal);
        co_await until([&] { return ended; });
        CHECK(pool.stats().checked_out == 1);
        co_await pool.drain(std::chrono::steady_clock::now() + 60s);
    });
    context.restart();
    context.run_for(1500ms);
    CHECK(context.stopped());  // for want of work
    CHECK(closed(pool.stats(), db::CloseReason::dirty) == 1);
}

TEST_CASE("a cancel that nobody answers holds nobody up", "[db][deadline]") {
    SilenceBed bed;
    with_session(bed.database, [&](db::Session& other) -> awaitable<> {
        const auto executor = co_await asio::this_coro::executor;
        db::Session silent(co_await db::Connection::open(executor, bed.through()));
        bed.network.black_hole();
        Watchdog watchdog(bed.network);
        const auto kind = co_await failure_of([&] { return add(silent, 1, 2); });
        CHECK(kind == db::ErrorKind::deadline);
        const auto limit = std::chrono::steady_clock::now() + 10s;
        while (bed.network.accepted() < 2 && std::chrono::steady_clock::now() < limit) {
        }
        CHECK(bed.network.accepted() == 2);  // the cancel is on its way
        const std::int64_t three = co_await add(other, 1, 2);
        CHECK(three == 3);
        CHECK_FALSE(watchdog.bit());
    });
}

TEST_CASE("a connection closes although nobody answers its request to cancel", "[db][deadline]") {
    SilenceBed bed;
    std::unique_ptr<PGconn, db::Cancel::Deleter> connection(PQconnectdb(bed.through().url.c_str()));
    REQUIRE(PQstatus(connection.get()) == CONNECTION_OK);
    const int descriptor = PQsocket(connection.get());
    const auto is_open = [descriptor] { return fcntl(descriptor, F_GETFD) != -1; };
    bed.network.black_hole();
    Watchdog watchdog(bed.network);
    const auto cancel = db::Cancel::send(connection.get());
    cancel->close_after(std::move(connection));
    CHECK(is_open());
    while (is_open()) std::this_thread::yield();
    CHECK_FALSE(watchdog.bit());
}

// One that is nobody's any more: a pool keeps its own as long.
TEST_CASE("a connection that is dropped stays open until its request to cancel was answered", "[db][deadline]") {
    SilenceBed bed;
    with_session(bed.database, [&](db::Session&) -> awaitable<> {
        const auto executor = co_await asio::this_coro::executor;
        std::optional<db::Session> session;
        session.emplace(co_await db::Connection::open(executor, bed.through()));
        const std::set<int> ends = ends_at(bed.network.port());
        REQUIRE(ends.size() == 1);
        bed.network.black_hole();
        const auto kind = co_await failure_of([&] { return add(*session, 1, 2); });
        CHECK(kind == db::ErrorKind::deadline);
        session.reset();
        CHECK(ends_at(bed.network.port()).contains(*ends.begin()));
        bed.network.pass();
        co_await until([&] { return !ends_at(bed.network.port()).contains(*ends.begin()); });
    });
}

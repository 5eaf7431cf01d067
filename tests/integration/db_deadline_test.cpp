// No call waits for ever, and none holds up another: deadlines, cancellation, flow control.
#include "db/error.hpp"
#include "db/transaction.hpp"
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

#include <chrono>
#include <functional>
#include <optional>
#include <string>

using namespace tests;
using namespace std::chrono_literals;
namespace asio = boost::asio;
template <class T = void>
using awaitable = asio::awaitable<T>;

namespace {

const db::Statement copy_sql{"test_copy", "copy numbers from stdin"};
const db::Statement limit_sql{"test_limit", "select current_setting('statement_timeout')"};

constexpr std::size_t offered = std::size_t{256} << 20;

// Rows for copy_in, which fall into a black hole.
db::Session::Fill endless_rows(FaultProxy& network, std::size_t& taken) {
    return [&](std::string& buffer) {
        if (taken == 0) network.black_hole();
        buffer.append(64 * 1024, '1');
        buffer.back() = '\n';
        taken += 64 * 1024;
        return taken < offered;
    };
}

}  // namespace

TEST_CASE(
    "a statement past its deadline is cancelled on the server, and its connection is of no use", "[db][deadline]"
) {
    const TestDatabase database;
    with_session(database, [&](db::Session& session) -> awaitable<> {
        session.connection().send(sleep_sql, {});
        const auto kind = co_await failure_of([&] { return session.connection().exchange(100ms); });
        CHECK(kind == db::ErrorKind::deadline);
        CHECK_FALSE(session.connection().is_usable());
        await_asleep(database, 0);
    });
}

TEST_CASE("a cancelled COPY ends while the other side takes nothing", "[db][copy][deadline]") {
    SilenceBed bed;
    asio::io_context context;
    run(context, [&]() -> awaitable<> {
        std::size_t taken = 0;
        std::optional<db::ErrorKind> kind;
        const auto copy = [&]() -> awaitable<> {
            db::Session session(
                co_await db::Connection::open(context.get_executor(), {.url = bed.network.url(bed.database.name())})
            );
            co_await session.execute(create_sql);
            kind = co_await failure_of([&] { return session.copy_in(copy_sql, endless_rows(bed.network, taken)); });
        };
        asio::cancellation_signal signal;
        asio::co_spawn(context, copy(), asio::bind_cancellation_slot(signal.slot(), asio::detached));
        asio::steady_timer timer(context);
        std::size_t before = 0;
        do {  // until the kernel's buffers are full
            before = taken;
            timer.expires_after(50ms);
            co_await timer.async_wait(asio::use_awaitable);
        } while (taken == 0 || taken != before);
        signal.emit(asio::cancellation_type::terminal);
        for (int i = 0; i < 100 && !kind; ++i) {
            timer.expires_after(50ms);
            co_await timer.async_wait(asio::use_awaitable);
        }
        CHECK(kind == db::ErrorKind::closed);
    });
}

TEST_CASE("every call has a deadline where statement_timeout is zero", "[db][copy][deadline][setting]") {
    SilenceBed bed;
    db::ConnectionSettings settings = bed.through();
    settings.statement_timeout = 0ms;
    settings.longest_call = 1s;
    using Call = std::function<awaitable<>(FaultProxy&, db::Session&)>;
    const auto [name, call] = GENERATE(table<std::string, Call>({
        {"execute", [](FaultProxy&, db::Session& session) -> awaitable<> { co_await session.execute(limit_sql); }},
        {"run_script", [](FaultProxy&, db::Session& session) { return session.run_script("select 1", {}); }},
        {"copy_in",
         [](FaultProxy& network, db::Session& session) -> awaitable<> {
             std::size_t taken = 0;
             co_await session.copy_in(copy_sql, endless_rows(network, taken));
         }},
        {"rollback",
         [](FaultProxy& network, db::Session& session) -> awaitable<> {
             network.pass();
             session.connection().begin();
             co_await session.execute(limit_sql);
             network.black_hole();
             co_await session.connection().rollback();
         }},
    }));
    INFO(name);
    with_session(settings, [&](db::Session& session) -> awaitable<> {
        co_await session.execute(create_sql);
        bed.network.black_hole();
        Watchdog watchdog(bed.network);
        const auto kind = co_await failure_of([&] { return call(bed.network, session); });
        CHECK(kind == db::ErrorKind::deadline);
        CHECK_FALSE(session.connection().is_lost());  // it may have been busy with what nobody had limited
        CHECK_FALSE(session.connection().is_usable());
        CHECK_FALSE(watchdog.bit());
    });
}

TEST_CASE("copy_in may take longer than statement_timeout, as long as it goes on", "[db][copy][deadline][setting]") {
    SilenceBed bed;
    db::ConnectionSettings settings = bed.through();
    settings.grace = 10s;
    with_session(settings, [&](db::Session& session) -> awaitable<> {
        co_await session.execute(create_sql);
        bed.network.throttle(200'000);
        int next = 0;
        const auto fill = [&](std::string& buffer) {
            buffer += std::to_string(next++) + "\n";
            return next < 30'000;  // 169 kB: not within 300 ms
        };
        bool within = false;
        co_await db::transact(session, [&](db::Session& inside) -> awaitable<> {
            co_await inside.copy_in(copy_sql, fill);
            const db::Rows limit = co_await inside.execute(limit_sql);
            within = limit.front().get<std::string_view>(0) == "300ms";
        });
        CHECK(within);  // for what follows the limit stands again
        const std::int64_t rows = co_await count(session);
        CHECK(rows == 30'000);
    });
}

TEST_CASE("copy_in asks for no more than the other side takes, and ends at its deadline", "[db][copy][deadline]") {
    SilenceBed bed;
    with_session(bed.through(), [&](db::Session& session) -> awaitable<> {
        co_await session.execute(create_sql);
        std::size_t taken = 0;
        const auto kind =
            co_await failure_of([&] { return session.copy_in(copy_sql, endless_rows(bed.network, taken)); });
        CHECK(kind == db::ErrorKind::deadline);
        CHECK(taken < offered / 4);  // what the kernel's buffers hold
    });
}

// No call waits for ever, and none holds up another: deadlines, cancellation, flow control.
#include "db/cancel.hpp"
#include "db/error.hpp"
#include "db/transaction.hpp"
#include "db/url.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/pool_fixture.hpp"
#include "tests/support/session_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <libpq-fe.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

using namespace tests;
using namespace std::chrono_literals;
namespace asio = boost::asio;
template <class T = void>
using awaitable = asio::awaitable<T>;

namespace {

const db::Statement copy_sql{"test_copy", "copy numbers from stdin"};
const db::Statement sleep_sql{"test_sleep", "select pg_sleep(60)"};
const db::Statement limit_sql{"test_limit", "select current_setting('statement_timeout')"};

struct SilenceBed {
    TestDatabase database;
    FaultProxy network{db::parse_url(server_url())->hosts.front().name + "/.s.PGSQL.5432"};

    db::ConnectionSettings through() const {
        return {.url = network.url(database.name()), .statement_timeout = 300ms, .grace = 200ms};
    }
};

// Ends the silence when the test takes too long, so that it fails instead of hanging.
class Watchdog {
public:
    explicit Watchdog(FaultProxy& network)
        : thread_([this, &network] {
              if (ended_.get_future().wait_for(10s) == std::future_status::ready) return;
              bit_ = true;
              network.cut();
          }) {}
    // Whether it had to.
    bool bit() {
        if (thread_.joinable()) {
            ended_.set_value();
            thread_.join();
        }
        return bit_;
    }
    ~Watchdog() { bit(); }
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

private:
    std::promise<void> ended_;
    bool bit_ = false;  // read after the thread has ended
    std::thread thread_;
};

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

int asleep(const TestDatabase& database) {
    return std::stoi(database.value(
        "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' and query like "
        "'select pg_sleep%'"
    ));
}

void await_asleep(const TestDatabase& database, int wanted) {
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (asleep(database) != wanted && std::chrono::steady_clock::now() < limit) {
    }
    CHECK(asleep(database) == wanted);
}

// How a call failed.
template <class Call>
awaitable<std::optional<db::ErrorKind>> failure_of(Call call) {
    try {
        co_await call();
    } catch (const db::Error& error) {
        co_return error.kind();
    }
    co_return std::nullopt;
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
        asio::steady_timer timer(context);
        const auto until = [&](auto holds) -> awaitable<> {
            while (!holds()) {
                timer.expires_after(1ms);
                co_await timer.async_wait(asio::use_awaitable);
            }
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

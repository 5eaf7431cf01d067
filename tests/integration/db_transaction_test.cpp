#include "db/connection.hpp"
#include "db/error.hpp"
#include "db/transaction.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/this_coro.hpp>

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
template <class T = void>
using awaitable = asio::awaitable<T>;

namespace {

const db::Statement read_sql{"test_read", "select n from counters where id = 1"};
const db::Statement write_sql{"test_write", "update counters set n = $1::integer where id = 1"};
const db::Statement sleep_sql{"test_sleep", "select pg_sleep(60)"};
const db::Statement timeout_sql{"test_timeout", "select current_setting('statement_timeout')"};
const db::Statement isolation_sql{"test_isolation", "select current_setting('transaction_isolation')"};
const db::Statement warn_sql{"", "do $$ begin raise warning 'mind the gap'; raise notice 'all is well'; end $$"};
const db::Statement prepared_sql{"test_prepared", "select count(*) from pg_prepared_statements"};

// Runs body(session) on a session of its own with these settings.
template <class Body>
auto with_session(const db::ConnectionSettings& settings, Body body, const db::Hooks& hooks) {
    return tests::run([&]() -> std::invoke_result_t<Body&, db::Session&> {
        db::Session session(co_await db::Connection::open(
            co_await asio::this_coro::executor, settings, std::make_shared<const db::Hooks>(hooks)
        ));
        co_return co_await body(session);
    });
}
template <class Body>
auto with_session(
    const tests::TestDatabase& database, const db::ConnectionSettings& settings, Body body, const db::Hooks& hooks = {}
) {
    return with_session(database.settings(settings), std::move(body), hooks);
}
// For a test of what the server makes of its sessions.
template <class Body>
auto with_direct_session(const tests::TestDatabase& database, db::ConnectionSettings settings, Body body) {
    settings.url = database.direct_settings().url;
    return with_session(settings, std::move(body), {});
}

awaitable<std::string> text_of(db::Session& session, const db::Statement& statement) {
    const db::Rows rows = co_await session.execute(statement);
    co_return rows.front().get<std::string>(0);
}

awaitable<std::string> sqlstate_of_sleep(db::Session& session) {
    try {
        co_await session.execute(sleep_sql);
    } catch (const db::Error& error) {
        co_return error.sqlstate();
    }
    co_return "none";
}

}  // namespace

TEST_CASE("begin costs no round trip: the server learns of it with the first statement", "[db][transaction]") {
    if (tests::skipped_without_direct("a pooler gives no session to keep")) return;
    const tests::TestDatabase database;
    with_direct_session(database, {}, [&](db::Session& session) -> awaitable<> {
        const std::string state =
            "select state from pg_stat_activity where pid = " + std::to_string(session.connection().backend_pid());
        co_await session.execute(timeout_sql);
        db::begin(session);
        CHECK(session.connection().in_transaction());
        CHECK(database.value(state) == "idle");
        co_await session.execute(timeout_sql);
        CHECK(database.value(state) == "idle in transaction");
        co_await db::commit(session);
        CHECK(database.value(state) == "idle");
    });
}

TEST_CASE("transact runs the function again after a serialization failure, as often as it may", "[db][transaction]") {
    const tests::TestDatabase database;
    database.psql("create table counters (id integer primary key, n integer not null)");
    database.psql("insert into counters values (1, 0)");
    const int attempts = GENERATE(1, 3);
    with_session(database, {}, [&](db::Session& session) -> awaitable<> {
        int runs = 0;
        std::string sqlstate;
        const auto increment = [&](db::Session& inside) -> awaitable<> {
            ++runs;
            const db::Rows rows = co_await inside.execute(read_sql);
            // Somebody else writes in between, twice.
            if (runs <= 2) database.psql("update counters set n = n + 10 where id = 1");
            co_await inside.execute(write_sql, rows.front().get<int>(0) + 1);
        };
        try {
            const db::TransactionOptions options{.isolation = db::Isolation::repeatable_read, .attempts = attempts};
            co_await db::transact(session, increment, options);
        } catch (const db::Error& error) {
            sqlstate = error.sqlstate();
        }
        CHECK(runs == attempts);
        CHECK(sqlstate == (attempts == 1 ? "40001" : ""));
        CHECK(database.value("select n from counters") == (attempts == 1 ? "10" : "21"));
        CHECK_FALSE(session.connection().in_transaction());
    });
}

TEST_CASE("transact begins with the isolation level asked for", "[db][transaction]") {
    const tests::TestDatabase database;
    with_session(database, {}, [&](db::Session& session) -> awaitable<> {
        const auto level = [](db::Session& inside) { return text_of(inside, isolation_sql); };
        const std::string plain = co_await db::transact(session, level);
        const std::string repeatable =
            co_await db::transact(session, level, {.isolation = db::Isolation::repeatable_read});
        const std::string serializable =
            co_await db::transact(session, level, {.isolation = db::Isolation::serializable});
        CHECK(plain == "read committed");
        CHECK(repeatable == "repeatable read");
        CHECK(serializable == "serializable");
    });
}

TEST_CASE("statement_timeout: the server ends a statement, directly and through a pooler", "[db][setting]") {
    if (tests::skipped_without_direct("a pooler gives no session to keep")) return;
    const tests::TestDatabase database;
    db::ConnectionSettings settings;
    settings.statement_timeout = 100ms;
    settings.pooler = GENERATE(db::Pooler::none, db::Pooler::transaction);
    with_direct_session(database, settings, [&](db::Session& session) -> awaitable<> {
        const std::string alone = co_await sqlstate_of_sleep(session);
        CHECK(alone == "57014");
        CHECK(session.connection().is_usable());
        db::begin(session);
        const std::string first = co_await text_of(session, timeout_sql);
        const std::string later = co_await sqlstate_of_sleep(session);
        co_await db::rollback(session);
        CHECK(first == "100ms");
        CHECK(later == "57014");
        // Behind a pooler nothing may stay on the server's connection: the next client would have it.
        if (settings.pooler == db::Pooler::transaction) {
            CHECK(
                database.value(
                    "select count(*) from pg_stat_activity where state = 'idle' and pid = " +
                    std::to_string(session.connection().backend_pid())
                ) == "1"
            );
            co_await text_of(session, timeout_sql);  // a transaction that is committed
            co_await session.run_script(
                "do $$ begin perform 1 / (current_setting('statement_timeout') = '0')::integer; end $$", 5s
            );
        }
    });
}

TEST_CASE("pooler: in transaction mode no statement is prepared by name", "[db][setting]") {
    if (tests::skipped_without_direct("a pooler gives no session to keep")) return;
    const tests::TestDatabase database;
    db::ConnectionSettings settings;
    settings.pooler = GENERATE(db::Pooler::none, db::Pooler::transaction);
    with_direct_session(database, settings, [&](db::Session& session) -> awaitable<> {
        co_await session.execute(timeout_sql);
        const db::Rows rows = co_await session.execute(prepared_sql);
        CHECK(rows.front().get<int>(0) == (settings.pooler == db::Pooler::none ? 2 : 0));
    });
}

TEST_CASE("the server's notices reach the hooks", "[db][session]") {
    const tests::TestDatabase database;
    std::vector<std::pair<std::string, std::string>> heard;
    db::Hooks hooks;
    hooks.on_notice = [&](std::string_view severity, std::string_view message) {
        heard.emplace_back(severity, message);
    };
    with_session(database, {}, [](db::Session& session) -> awaitable<> { co_await session.execute(warn_sql); }, hooks);
    CHECK(
        heard ==
        std::vector<std::pair<std::string, std::string>>{{"WARNING", "mind the gap"}, {"NOTICE", "all is well"}}
    );
}

TEST_CASE("each statement is timed under its name, one that failed with its error", "[db][session]") {
    const tests::TestDatabase database;
    std::vector<std::string> heard;
    db::Hooks hooks;
    hooks.on_statement = [&](std::string_view name, std::chrono::nanoseconds took, const db::Error* error) {
        heard.push_back(
            std::string(name) + (took > 0ns ? "" : " took no time") + (error ? " " + error->sqlstate() : "")
        );
    };
    db::ConnectionSettings settings;
    settings.statement_timeout = 50ms;
    with_session(
        database,
        settings,
        [](db::Session& session) -> awaitable<> {
            co_await session.execute(timeout_sql);
            co_await sqlstate_of_sleep(session);
        },
        hooks
    );
    CHECK(heard == std::vector<std::string>{"test_timeout", "test_sleep 57014"});
}

TEST_CASE("a watched transaction tells how it ended", "[db][transaction]") {
    const tests::TestDatabase database;
    database.psql("create table counters (id integer primary key deferrable initially deferred, n integer not null)");
    const db::Statement insert_sql{"test_insert_counter", "insert into counters values (1, 1)"};
    with_session(database, {}, [&](db::Session& session) -> awaitable<> {
        CHECK_THROWS_AS(session.connection().watch_transaction(), db::Error);
        const auto watched = [&](bool fails) -> awaitable<db::TransactionWatch> {
            db::TransactionWatch watch;
            try {
                co_await db::transact(session, [&](db::Session& inside) -> awaitable<> {
                    co_await inside.execute(insert_sql);
                    watch = inside.connection().watch_transaction();
                    CHECK(*watch == db::TransactionEnd::unknown);
                    CHECK(watch == inside.connection().watch_transaction());
                    if (fails) throw std::runtime_error("changed my mind");
                });
            } catch (const std::runtime_error&) {
            }
            co_return watch;
        };
        const db::TransactionWatch rolled_back = co_await watched(true);
        CHECK(*rolled_back == db::TransactionEnd::rolled_back);
        const db::TransactionWatch committed = co_await watched(false);
        CHECK(*committed == db::TransactionEnd::committed);
        const db::TransactionWatch refused = co_await watched(false);  // at its commit
        CHECK(*refused == db::TransactionEnd::rolled_back);
        CHECK(*committed == db::TransactionEnd::committed);
    });
}

TEST_CASE("a watched transaction that ends unheard stays unknown", "[db][transaction]") {
    const tests::TestDatabase database;
    const db::Statement commit_sql{"", "commit"};
    const db::Statement end_sql{"", "select pg_terminate_backend(pg_backend_pid())"};
    with_session(database, {}, [&](db::Session& session) -> awaitable<> {
        db::begin(session);
        co_await session.execute(timeout_sql);
        const db::TransactionWatch by_statement = session.connection().watch_transaction();
        co_await session.execute(commit_sql);
        db::begin(session);
        co_await session.execute(timeout_sql);
        const db::TransactionWatch lost = session.connection().watch_transaction();
        CHECK(lost != by_statement);
        try {
            co_await session.execute(end_sql);
        } catch (const db::Error&) {
        }
        co_await db::rollback(session);
        CHECK(*by_statement == db::TransactionEnd::unknown);
        CHECK(*lost == db::TransactionEnd::unknown);
    });
}

#include "db/session.hpp"
#include "db/transaction.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/session_fixture.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace tests;
using namespace std::chrono_literals;
namespace asio = boost::asio;
template <class T = void>
using awaitable = asio::awaitable<T>;

namespace {
const db::Statement copy_sql{"test_copy", "copy numbers from stdin"};
}  // namespace

TEST_CASE("execute sends and reads every kind of value", "[db][session]") {
    const TestDatabase database;
    with_session(database, [](db::Session& session) -> awaitable<> {
        static const db::Statement all{"test_all", R"sql(
            select $1::bigint, $2::integer, $3::smallint, $4::float8, $5::boolean, $6::text, $7::json,
                   $8::bigint[], $9::text[], $10::uuid, null::text, to_timestamp(1.5), $11::text is null
        )sql"};
        const db::Rows rows = co_await session.execute(
            all,
            std::int64_t{1} << 40,
            std::int32_t{-7},
            std::int16_t{3},
            2.5,
            true,
            "text",
            R"({"a": [1]})",
            std::vector<std::int64_t>{5, -6},
            std::vector<std::string>{"p", "", "q,\"r"},
            "00112233-4455-6677-8899-aabbccddeeff",
            std::optional<std::string>{}
        );
        const db::Row row = rows.front();
        CHECK(row.get<std::int64_t>(0) == std::int64_t{1} << 40);
        CHECK(row.get<int>(1) == -7);
        CHECK(row.get<int>(2) == 3);
        CHECK(row.get<double>(3) == 2.5);
        CHECK(row.get<bool>(4));
        CHECK(row.get<std::string>(5) == "text");
        CHECK(row.get<std::string_view>(6) == R"({"a": [1]})");
        CHECK(row.get<std::vector<std::int64_t>>(7) == std::vector<std::int64_t>{5, -6});
        CHECK(row.get<std::vector<std::string>>(8) == std::vector<std::string>{"p", "", "q,\"r"});
        CHECK(row.get<std::string>(9) == "00112233-4455-6677-8899-aabbccddeeff");
        CHECK(row.get<std::optional<std::string>>(10) == std::nullopt);
        CHECK(row.get<db::TimePoint>(11).time_since_epoch() == 1'500ms);
        CHECK(row.get<bool>(12));
        CHECK_THROWS_AS(row.get<int>(5), db::Error);
        CHECK_THROWS_AS(row.get<std::string>(10), db::Error);
    });
}

TEST_CASE("execute names the statement and the SQLSTATE of a refusal, and the session goes on", "[db][session]") {
    const TestDatabase database;
    with_session(database, [](db::Session& session) -> awaitable<> {
        std::string statement;
        std::string sqlstate;
        try {
            co_await divide(session, 0);
        } catch (const db::Error& error) {
            statement = error.statement();
            sqlstate = error.sqlstate();
        }
        CHECK(statement == "test_divide");
        CHECK(sqlstate == "22012");
        const int five = co_await divide(session, 2);
        CHECK(five == 5);
    });
}

TEST_CASE("transact commits what returns and rolls back what throws", "[db][transaction]") {
    const TestDatabase database;
    with_session(database, [](db::Session& session) -> awaitable<> {
        co_await session.execute(create_sql);
        co_await db::transact(session, [](db::Session& inside) -> awaitable<> {
            co_await insert(inside, 1);
            co_await insert(inside, 2);
        });
        bool thrown = false;
        try {
            co_await db::transact(session, [](db::Session& inside) -> awaitable<> {
                co_await insert(inside, 3);
                throw std::runtime_error("no");
            });
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        CHECK(thrown);
        const std::int64_t two = co_await count(session);
        CHECK(two == 2);
        CHECK_FALSE(session.connection().in_transaction());
        // A constraint that is checked at commit: the error is the commit's, and nothing stays.
        std::string sqlstate;
        try {
            co_await db::transact(session, [](db::Session& inside) { return insert(inside, 1); });
        } catch (const db::Error& error) {
            sqlstate = error.sqlstate();
        }
        CHECK(sqlstate == "23505");
        const std::int64_t still_two = co_await count(session);
        CHECK(still_two == 2);
    });
}

TEST_CASE("copy_in streams rows and undoes them when the sender stops", "[db][copy]") {
    const TestDatabase database;
    with_session(database, [](db::Session& session) -> awaitable<> {
        co_await session.execute(create_sql);
        int next = 0;
        const std::int64_t rows = co_await session.copy_in(copy_sql, [&](std::string& buffer) {
            buffer += std::to_string(next++) + "\n";
            return next < 100'000;
        });
        CHECK(rows == 100'000);
        bool stopped = false;
        try {
            co_await session.copy_in(copy_sql, [&](std::string& buffer) -> bool {
                buffer += std::to_string(next++) + "\n";
                if (next == 100'050) throw std::runtime_error("line 50 is bad");
                return true;
            });
        } catch (const std::runtime_error& error) {
            stopped = std::string_view(error.what()) == "line 50 is bad";
        }
        CHECK(stopped);
        const std::int64_t all = co_await count(session);
        CHECK(all == 100'000);
    });
}

TEST_CASE("a terminated connection says why", "[db][session]") {
    const TestDatabase database;
    with_session(database, [](db::Session& session) -> awaitable<> {
        static const db::Statement suicide{"", "select pg_terminate_backend(pg_backend_pid())"};
        std::string sqlstate;
        bool lost = false;
        try {
            co_await session.execute(suicide);
        } catch (const db::Error& error) {
            sqlstate = error.sqlstate();
            lost = error.is_connection_lost();
        }
        CHECK(sqlstate == "57P01");
        CHECK(lost);
        CHECK_FALSE(session.connection().is_usable());
    });
}

TEST_CASE("wait_notification hears what another session says", "[db][listen]") {
    if (skipped_without_direct("LISTEN takes a connection that is nobody else's")) return;
    const TestDatabase database;
    with_session(database.direct_settings(), [&](db::Session& session) -> awaitable<> {
        static const db::Statement listen{"", "listen news"};
        co_await session.execute(listen);
        database.psql("notify news, 'first'; notify news, 'second'");
        const auto first = co_await session.connection().wait_notification();
        const auto second = co_await session.connection().wait_notification(10s);
        const auto none = co_await session.connection().wait_notification(20ms);
        REQUIRE((first && second));
        CHECK(first->payload == "first");
        CHECK(second->payload == "second");
        CHECK_FALSE(none);
        const std::int64_t three = co_await add(session, 1, 2);
        CHECK(three == 3);
    });
}

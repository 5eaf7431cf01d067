#include "db/pipeline.hpp"
#include "db/transaction.hpp"
#include "db/url.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/session_fixture.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

using namespace tests;
namespace asio = boost::asio;
template <class T = void>
using awaitable = asio::awaitable<T>;

TEST_CASE(
    "a transaction costs one round trip more than its statements, and pipelined ones cost one", "[db][pipeline]"
) {
    const TestDatabase database;
    const FaultProxy network(db::parse_url(server_url())->hosts.front().name + "/.s.PGSQL.5432");
    db::ConnectionSettings settings{.url = network.url(database.name())};
    settings.pooler = GENERATE(db::Pooler::none, db::Pooler::transaction);  // then with statement_timeout in it
    with_session(settings, [&](db::Session& session) -> awaitable<> {
        int before = network.packets();
        const auto cost = [&] {
            const int now = network.packets();
            return now - std::exchange(before, now);
        };
        co_await add(session, 1, 2);  // prepared in the same packet
        CHECK(cost() == 1);
        co_await db::transact(session, [](db::Session& inside) { return add(inside, 1, 2); });
        CHECK(cost() == 2);
        co_await db::transact(session, [](db::Session&) -> awaitable<> { co_return; });
        CHECK(cost() == 0);
        co_await db::pipelined(session, add(session, 1, 2), divide(session, 5), add(session, 3, 4));
        CHECK(cost() == 1);
    });
}

TEST_CASE("pipelined hands its functions their results", "[db][pipeline]") {
    const TestDatabase database;
    with_session(database, [](db::Session& session) -> awaitable<> {
        const auto answers =
            co_await db::pipelined(session, add(session, 1, 2), divide(session, 5), add(session, 3, 4));
        CHECK(std::get<0>(answers) == 3);
        CHECK(std::get<1>(answers) == 2);
        CHECK(std::get<2>(answers) == 7);
        std::vector<awaitable<std::int64_t>> many;
        for (int i = 0; i < 100; ++i) many.push_back(add(session, i, 1));
        const std::vector<std::int64_t> sums = co_await db::pipelined(session, std::move(many));
        REQUIRE(sums.size() == 100);
        CHECK(sums[99] == 100);
    });
}

TEST_CASE("pipelined hands out nothing when one of its statements or the commit fails", "[db][pipeline]") {
    const TestDatabase database;
    with_session(database, [](db::Session& session) -> awaitable<> {
        co_await session.execute(create_sql);
        std::string failed;
        bool first_returned = false;
        const auto watched = [&](int n) -> awaitable<> {
            co_await insert(session, n);
            first_returned = true;
        };
        try {
            co_await db::pipelined(session, watched(1), divide(session, 0), insert(session, 2));
        } catch (const db::Error& error) {
            failed = error.statement();
        }
        CHECK(failed == "test_divide");
        CHECK_FALSE(first_returned);
        const std::int64_t none = co_await count(session);
        CHECK(none == 0);
        // The error comes in place of the sync: both statements had answered OK.
        co_await insert(session, 7);
        std::string sqlstate;
        try {
            co_await db::pipelined(session, watched(7), insert(session, 8));
        } catch (const db::Error& error) {
            sqlstate = error.sqlstate();
        }
        CHECK(sqlstate == "23505");
        CHECK_FALSE(first_returned);
        const std::int64_t one = co_await count(session);
        CHECK(one == 1);
    });
}

TEST_CASE("pipelined refuses a function with a second statement", "[db][pipeline]") {
    const TestDatabase database;
    with_session(database, [](db::Session& session) -> awaitable<> {
        const auto twice = [&]() -> awaitable<std::int64_t> {
            const std::int64_t first = co_await add(session, 1, 1);
            co_return co_await add(session, first, 1);
        };
        db::ErrorKind kind{};
        try {
            co_await db::pipelined(session, twice(), add(session, 1, 1));
        } catch (const db::Error& error) {
            kind = error.kind();
        }
        CHECK(kind == db::ErrorKind::usage);
        const std::int64_t three = co_await add(session, 1, 2);
        CHECK(three == 3);
    });
}

TEST_CASE("pipelined sends more than the sockets hold without a deadlock", "[db][pipeline]") {
    const TestDatabase database;
    with_session(database, [](db::Session& session) -> awaitable<> {
        static const db::Statement echo{"test_echo", "select $1::text"};
        const std::string megabyte(1 << 20, 'x');
        const auto length = [&]() -> awaitable<std::size_t> {
            const db::Rows rows = co_await session.execute(echo, megabyte);
            co_return rows.front().get<std::string_view>(0).size();
        };
        std::vector<awaitable<std::size_t>> many;
        for (int i = 0; i < 32; ++i) many.push_back(length());
        const std::vector<std::size_t> lengths = co_await db::pipelined(session, std::move(many));
        CHECK(std::ranges::all_of(lengths, [](std::size_t size) { return size == std::size_t{1} << 20; }));
    });
}

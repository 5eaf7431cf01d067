#pragma once

// Statements, and a session on a connection of its own, for the tests of db/session.hpp.

#include "db/connection.hpp"
#include "db/session.hpp"
#include "tests/support/database.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/this_coro.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace tests {

inline const db::Statement add_sql{"test_add", "select $1::bigint + $2::integer, $3::text"};
inline const db::Statement divide_sql{"test_divide", "select 10 / $1::integer"};
inline const db::Statement create_sql{
    "test_create", "create table numbers (n integer primary key deferrable initially deferred)"
};
inline const db::Statement insert_sql{"test_insert", "insert into numbers values ($1::integer)"};
inline const db::Statement count_sql{"test_count", "select count(*) from numbers"};

inline boost::asio::awaitable<std::int64_t> add(db::Session& session, std::int64_t a, std::int32_t b) {
    const db::Rows rows = co_await session.execute(add_sql, a, b, "x");
    co_return rows.front().get<std::int64_t>(0);
}

inline boost::asio::awaitable<int> divide(db::Session& session, int by) {
    const db::Rows rows = co_await session.execute(divide_sql, by);
    co_return rows.front().get<int>(0);
}

inline boost::asio::awaitable<void> insert(db::Session& session, int n) {
    co_await session.execute(insert_sql, n);
}

inline boost::asio::awaitable<std::int64_t> count(db::Session& session) {
    const db::Rows rows = co_await session.execute(count_sql);
    co_return rows.front().get<std::int64_t>(0);
}

// Runs body(session) on a session of its own.
template <class Body>
auto with_session(const db::ConnectionSettings& settings, Body body) {
    return run([&]() -> std::invoke_result_t<Body&, db::Session&> {
        auto connection = co_await db::Connection::open(co_await boost::asio::this_coro::executor, settings);
        db::Session session(std::move(connection));
        co_return co_await body(session);
    });
}
template <class Body>
auto with_session(const TestDatabase& database, Body body) {
    return with_session(database.settings(), std::move(body));
}

}  // namespace tests

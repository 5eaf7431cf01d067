#pragma once

// A pool on a database of its own, and what the tests of db/pool.hpp ask of it.

#include "db/connection.hpp"
#include "db/error.hpp"
#include "db/pool.hpp"
#include "tests/support/database.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace tests {

inline const db::Statement pid_sql{"test_pid", "select pg_backend_pid()"};

enum class Route {
    usual,    // through the pooler where the tests run behind one
    direct,   // sessions are server processes
    nowhere,  // to a database that does not exist
};

// A pool on a database of its own, and the pings that it sent.
struct PoolFixture {
    explicit PoolFixture(const db::PoolSettings& settings = {}, Route route = Route::usual)
        : pool(context.get_executor(), connection_settings(route), settings, hooks()) {}

    db::ConnectionSettings connection_settings(Route route) const {
        if (route == Route::direct) return database.direct_settings();
        db::ConnectionSettings settings = database.settings();
        if (route == Route::nowhere) settings = {.url = server_url("no_such_database")};
        return settings;
    }

    db::Hooks hooks() {
        db::Hooks hooks;
        hooks.on_statement = [this](std::string_view statement, std::chrono::nanoseconds, const db::Error*) {
            if (statement == "ping") ++pings;
        };
        return hooks;
    }
    template <class Body>
    auto run(Body body) {
        return tests::run(context, body);
    }
    // Returns when the pool's numbers are as asked.
    template <class Condition>
    boost::asio::awaitable<void> until(Condition holds) {
        boost::asio::steady_timer timer(context);
        for (int i = 0; i < 1'000 && !holds(pool.stats()); ++i) {
            timer.expires_after(std::chrono::milliseconds(10));
            co_await timer.async_wait(boost::asio::use_awaitable);
        }
        if (!holds(pool.stats())) throw std::runtime_error("the pool never came to what the test waits for");
    }

    const tests::TestDatabase database;
    boost::asio::io_context context;
    std::atomic<int> pings = 0;
    db::Pool pool;
};

inline boost::asio::awaitable<std::int64_t> pid_of(db::Session& session) {
    const db::Rows rows = co_await session.execute(pid_sql);
    co_return rows.front().get<std::int64_t>(0);
}

inline std::uint64_t closed(const db::PoolStats& stats, db::CloseReason reason) {
    return stats.closed[static_cast<std::size_t>(reason)];
}

// What checkout says when it fails.
inline boost::asio::awaitable<std::optional<db::Error>> failure_of(db::Pool& pool) {
    try {
        const db::Session session = co_await pool.checkout();
    } catch (const db::Error& error) {
        co_return error;
    }
    co_return std::nullopt;
}

}  // namespace tests

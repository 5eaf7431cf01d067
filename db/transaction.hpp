#pragma once

// transact: the one place with commit or rollback.

#include "db/connection.hpp"
#include "db/pool.hpp"
#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

namespace db {

struct TransactionOptions {
    Isolation isolation = Isolation::server_default;
    // How often the function may run: a serialization failure or a deadlock (40001, 40P01) starts it anew, after a
    // random pause of some milliseconds. More than 1 only for a function that does nothing but SQL.
    int attempts = 1;
};

// The three steps of a transaction. begin costs no round trip: BEGIN travels with the next statement.
void begin(Session& session, Isolation isolation = Isolation::server_default);
boost::asio::awaitable<void> commit(Session& session);
// Never throws; a connection that it cannot clean is closed when the session is handed back.
boost::asio::awaitable<void> rollback(Session& session) noexcept;

// Waits a little when `failure` is a reason to run the transaction again; else rethrows it.
boost::asio::awaitable<void> pause_or_rethrow(std::exception_ptr failure, int attempt, int attempts);

// Runs function(session), an awaitable, inside a transaction on that session: commits when it returns, rolls back and
// rethrows when it throws. A lost connection during commit leaves the result unknown (db::Error, connection).
template <class Function>
auto transact(Session& session, Function function, TransactionOptions options = {})
    -> std::invoke_result_t<Function&, Session&> {
    using Result = typename std::invoke_result_t<Function&, Session&>::value_type;
    for (int attempt = 1;; ++attempt) {
        std::exception_ptr failure;
        begin(session, options.isolation);
        try {
            if constexpr (std::is_void_v<Result>) {
                co_await function(session);
                co_await commit(session);
                co_return;
            } else {
                auto result = co_await function(session);
                co_await commit(session);
                co_return result;
            }
        } catch (...) {
            failure = std::current_exception();  // no co_await inside a handler
        }
        co_await rollback(session);
        co_await pause_or_rethrow(failure, attempt, options.attempts);
    }
}

// The same on a session of the pool, lent for as long as the function runs.
template <class Function>
auto transact(
    Pool& pool,
    Function function,
    TransactionOptions options = {},
    std::source_location where = std::source_location::current()
) -> std::invoke_result_t<Function&, Session&> {
    Session session = co_await pool.checkout(where);
    co_return co_await transact(session, std::move(function), options);
}

}  // namespace db

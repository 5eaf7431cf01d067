#pragma once

// transact: the one place with commit or rollback.

#include "db/pool.hpp"
#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <exception>
#include <type_traits>
#include <utility>

namespace db {

// The three steps of a transaction. begin costs no round trip: BEGIN travels with the next statement.
void begin(Session& session);
boost::asio::awaitable<void> commit(Session& session);
// Never throws; a connection that it cannot clean is closed when the session is handed back.
boost::asio::awaitable<void> rollback(Session& session) noexcept;

// Runs function(session), an awaitable, inside a transaction on that session: commits when it returns, rolls back and
// rethrows when it throws. A lost connection during commit leaves the result unknown (db::Error, connection).
template <class Function>
auto transact(Session& session, Function function) -> std::invoke_result_t<Function&, Session&> {
    using Result = typename std::invoke_result_t<Function&, Session&>::value_type;
    std::exception_ptr failure;
    begin(session);
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
    std::rethrow_exception(failure);
}

// The same on a session of the pool, lent for as long as the function runs.
template <class Function>
auto transact(Pool& pool, Function function) -> std::invoke_result_t<Function&, Session&> {
    Session session = co_await pool.checkout();
    co_return co_await transact(session, std::move(function));
}

}  // namespace db

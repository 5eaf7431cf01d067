#include "db/transaction.hpp"

#include "db/error.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <random>

namespace asio = boost::asio;

namespace db {

namespace {

// Longer after each attempt, and hardly the same for two who met.
std::chrono::milliseconds pause_after(int attempt) {
    thread_local std::minstd_rand random(std::random_device{}());
    return std::chrono::milliseconds(std::uniform_int_distribution(1, 10 * std::min(attempt, 10))(random));
}

}  // namespace

void begin(Session& session, Isolation isolation) {
    session.connection().begin(isolation);
}

asio::awaitable<void> commit(Session& session) {
    return session.connection().commit();
}

asio::awaitable<void> rollback(Session& session) noexcept {
    try {
        co_await session.connection().rollback();
    } catch (const std::exception&) {
        // The pool closes a connection that is still inside a transaction; the first failure is what matters.
    }
}

asio::awaitable<void> pause_or_rethrow(std::exception_ptr failure, int attempt, int attempts) {
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        if (!error.is_serialization_failure() || attempt >= attempts) throw;
    }
    asio::steady_timer timer(co_await asio::this_coro::executor);
    timer.expires_after(pause_after(attempt));
    co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace db

#include "db/transaction.hpp"

#include "db/connection.hpp"

namespace asio = boost::asio;

namespace db {

void begin(Session& session) {
    session.connection().begin();
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

}  // namespace db

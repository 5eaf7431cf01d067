#include "db/pool.hpp"

#include "db/pool_core.hpp"

#include <utility>

namespace asio = boost::asio;

namespace db {

Pool::Pool(asio::any_io_executor executor, ConnectionSettings connection, PoolSettings pool, Hooks hooks)
    : core_(std::make_shared<PoolCore>(std::move(executor), std::move(connection), pool, std::move(hooks))) {}

Pool::~Pool() {
    core_->shut_down();
}

asio::awaitable<Session> Pool::checkout(std::source_location where) {
    return core_->checkout(where);
}

std::optional<Session> Pool::try_checkout(std::source_location where) {
    return core_->take(PoolCore::Clock::now(), where);
}

PoolStats Pool::stats() const {
    return core_->stats();
}

asio::awaitable<void> Pool::drain(std::chrono::steady_clock::time_point deadline) {
    return core_->drain(deadline);
}

}  // namespace db

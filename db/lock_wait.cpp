#include "db/lock_wait.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace asio = boost::asio;

namespace db {

asio::awaitable<void> LockWait::after(Error failure) {
    const bool is_lock = failure.sqlstate() == "55P03" || failure.sqlstate() == "40P01";
    if (!is_lock || step_ == nullptr) throw failure;
    if (Clock::now() + pause_ > until_) {
        ServerMessage message = failure.server();
        message.message = "migration " + std::string(step_->name) + " found its tables in use: " + message.message;
        message.hint = "end the long transactions that hold them, or give it more patience";
        throw Error(std::move(message), {});
    }
    if (patience_.on_wait) patience_.on_wait(*step_, failure);
    asio::steady_timer timer(co_await asio::this_coro::executor, pause_);
    co_await timer.async_wait(asio::use_awaitable);
    pause_ = std::min(2 * pause_, longest_pause);
}

}  // namespace db

#include "jobs/sleep.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>

namespace asio = boost::asio;

namespace jobs {

asio::awaitable<void> sleep_unless_stopped(std::chrono::milliseconds time, std::stop_token stop) {
    // A timer is not safe to cancel from another thread, so its strand does it.
    const auto strand = asio::make_strand(co_await asio::this_coro::executor);
    const auto timer = std::make_shared<asio::steady_timer>(strand, time);
    const std::stop_callback on_stop(stop, [strand, timer] {
        asio::post(strand, [timer] { timer->expires_at(std::chrono::steady_clock::time_point::min()); });
    });
    boost::system::error_code ignored;  // how the sleep ended shows in the stop token
    co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace jobs

#include "jobs/http_call.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace jobs {

namespace asio = boost::asio;

using boost::system::error_code;

HttpCall::HttpCall(const asio::any_io_executor& executor)
    : timer_(executor, asio::steady_timer::clock_type::time_point::max()) {}

void HttpCall::end(End why) {
    const std::lock_guard lock(mutex_);
    if (end_ == End::none) end_ = why;
    timer_.cancel();
    if (socket_ != nullptr) socket_->cancel();
}

HttpCall::End HttpCall::ended() const {
    const std::lock_guard lock(mutex_);
    return end_;
}

void HttpCall::take_turn() {
    const std::lock_guard lock(mutex_);
    has_turn_ = true;
    timer_.cancel();
}

void HttpCall::renew_turn() {
    const std::lock_guard lock(mutex_);
    has_turn_ = false;
}

// `start` begins the wait, under the mutex: whoever wants to end it comes before, or after.
template <class Start>
asio::awaitable<void> HttpCall::wait(bool for_turn, Start start) {
    error_code ignored;
    const auto begin = [&](auto handler) {
        const std::lock_guard lock(mutex_);
        if (end_ == End::none && !(for_turn && has_turn_)) return start(std::move(handler));
        asio::post(timer_.get_executor(), [handler = std::move(handler)]() mutable {
            std::move(handler)(error_code());
        });
    };
    auto token = asio::redirect_error(asio::use_awaitable, ignored);
    co_await asio::async_initiate<decltype(token), void(error_code)>(begin, token);
}

asio::awaitable<void> HttpCall::wait_in_line() {
    co_await wait(true, [&](auto handler) { timer_.async_wait(std::move(handler)); });
}

asio::awaitable<void> HttpCall::wait_for(Descriptor& socket, Descriptor::wait_type what) {
    // Also when the coroutine is destroyed while it waits.
    struct Leave {
        HttpCall& call;
        ~Leave() {
            const std::lock_guard lock(call.mutex_);
            call.socket_ = nullptr;
        }
    } const leave{*this};
    co_await wait(false, [&](auto handler) {
        socket_ = &socket;
        socket.async_wait(what, std::move(handler));
    });
}

}  // namespace jobs

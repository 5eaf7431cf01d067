#include "worker/wakeup.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <mutex>

namespace asio = boost::asio;

namespace worker {

struct Wakeup::State {
    explicit State(asio::any_io_executor executor) : timer(std::move(executor)) {}

    std::mutex mutex;  // guards both: notify() comes from any thread
    asio::steady_timer timer;
    bool notified = false;
};

Wakeup::Wakeup(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

Wakeup::~Wakeup() = default;

void Wakeup::notify() {
    const std::lock_guard lock(state_->mutex);
    if (state_->notified) return;
    state_->notified = true;
    state_->timer.cancel();
}

asio::awaitable<void> Wakeup::wait_until(std::optional<Time> time) {
    const std::shared_ptr<State> state = state_;
    boost::system::error_code ignored;  // cancelled is what notify() means
    auto token = asio::redirect_error(asio::use_awaitable, ignored);
    co_await asio::async_initiate<decltype(token), void(boost::system::error_code)>(
        [state, time](auto handler) {
            const std::lock_guard lock(state->mutex);
            state->timer.expires_at(state->notified ? Time::min() : time.value_or(Time::max()));
            state->timer.async_wait(std::move(handler));
        },
        token
    );
    const std::lock_guard lock(state->mutex);
    state->notified = false;
}

asio::awaitable<void> Wakeup::wait_for(std::chrono::steady_clock::duration duration) {
    return wait_until(std::chrono::steady_clock::now() + duration);
}

}  // namespace worker

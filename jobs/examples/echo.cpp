#include "jobs/examples/echo.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <memory>
#include <stop_token>

namespace jobs::examples {

namespace asio = boost::asio;

namespace {

// Sleeps, but not past a request to stop.
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

}  // namespace

asio::awaitable<Outcome> echo(JobContext& context, EchoArgs args) {
    if (args.sleep_ms) co_await sleep_unless_stopped(std::chrono::milliseconds(*args.sleep_ms), context.stop_token());
    if (context.stop_reason() == StopReason::cancelled) co_return Cancel{"cancelled while it slept"};
    if (context.stop_reason() != StopReason::none) co_return Retry{"stopped while it slept", {}};
    if (context.job().attempt <= static_cast<std::int64_t>(args.fail_times.value_or(0))) {
        co_return Retry{fmt::format("attempt {} fails, as its args ask", context.job().attempt), {}};
    }
    co_return Complete{context.job().args.value()};
}

}  // namespace jobs::examples

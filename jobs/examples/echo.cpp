#include "jobs/examples/echo.hpp"

#include "jobs/sleep.hpp"

#include <fmt/format.h>

namespace jobs::examples {

namespace asio = boost::asio;

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

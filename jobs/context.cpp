#include "jobs/context.hpp"

#include <stdexcept>

namespace jobs {

JobContext::JobContext(Job job, ContextHooks hooks) : job_(std::move(job)), hooks_(std::move(hooks)) {}

void JobContext::progress(std::int64_t done, std::int64_t total, std::string message) {
    if (hooks_.on_progress) hooks_.on_progress(job_, {done, total, std::move(message)});
}

void JobContext::log(LogLevel level, std::string_view line) const {
    if (hooks_.on_log) hooks_.on_log(job_, level, line);
}

boost::asio::awaitable<db::Session> JobContext::checkout() {
    if (!hooks_.checkout) throw std::logic_error("this context has no database: set ContextHooks::checkout");
    return hooks_.checkout();
}

void JobContext::request_stop(StopReason reason) {
    StopReason none = StopReason::none;
    if (stop_reason_.compare_exchange_strong(none, reason)) stop_.request_stop();
}

}  // namespace jobs

#include "jobs/context.hpp"

#include <stdexcept>

namespace jobs {

JobContext::JobContext(Job job, ContextHooks hooks)
    : job_(std::move(job)), own_hooks_(std::move(hooks)), hooks_(&own_hooks_) {}

JobContext::JobContext(Job job, const ContextHooks* shared) : job_(std::move(job)), hooks_(shared) {}

std::stop_token JobContext::stop_token() const {
    const std::lock_guard lock(mutex_);
    if (!stop_.stop_possible()) {
        stop_ = std::stop_source();
        if (stop_reason_ != StopReason::none) stop_.request_stop();
    }
    return stop_.get_token();
}

void JobContext::renew(queue::JobId id, std::string_view args) {
    job_.id = id;
    job_.args.renew(args);
    deadline_.reset();
    stop_reason_ = StopReason::none;
    const std::lock_guard lock(mutex_);
    if (stop_.stop_possible()) stop_ = std::stop_source{std::nostopstate};
}

void JobContext::progress(std::int64_t done, std::int64_t total, std::string message) {
    if (hooks_->on_progress) hooks_->on_progress(job_, {done, total, std::move(message)});
}

void JobContext::log(LogLevel level, std::string_view line) const {
    if (hooks_->on_log) hooks_->on_log(job_, level, line);
}

boost::asio::awaitable<db::Session> JobContext::checkout(std::source_location where) {
    if (!hooks_->checkout) throw std::logic_error("this context has no database: set ContextHooks::checkout");
    return hooks_->checkout(where);
}

boost::asio::awaitable<void> JobContext::complete_in(db::Session& session, std::optional<boost::json::value> result) {
    if (!hooks_->complete_in) throw std::logic_error("this context has no worker: set ContextHooks::complete_in");
    return hooks_->complete_in(job_, session, std::move(result));
}

void JobContext::request_stop(StopReason reason) {
    StopReason none = StopReason::none;
    if (!stop_reason_.compare_exchange_strong(none, reason)) return;
    std::stop_source stop{std::nostopstate};
    {
        const std::lock_guard lock(mutex_);
        stop = stop_;
    }
    stop.request_stop();  // unlocked: it runs the handler's callbacks
}

}  // namespace jobs

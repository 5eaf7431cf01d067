// The engine's slots: how one job runs, from the line to its outcome.
#include "worker/engine.hpp"
#include "worker/verdict.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace asio = boost::asio;

namespace worker {

namespace {
constexpr std::size_t message_limit = 1'000;  // bytes of a progress message
constexpr int streak_limit = 64;              // jobs that a slot runs before it lets others have the thread

AttemptEnd attempt_end(const std::optional<queue::Leaver>& leaver) {
    if (!leaver) return AttemptEnd::completed;
    switch (leaver->as) {
        case queue::Leave::retry:
            return AttemptEnd::retried;
        case queue::Leave::snooze:
            return AttemptEnd::snoozed;
        case queue::Leave::discard:
            return AttemptEnd::discarded;
        case queue::Leave::cancel:
            return AttemptEnd::cancelled;
        case queue::Leave::complete_with_result:
            break;
    }
    return AttemptEnd::completed;
}

}  // namespace

void Engine::log_failure(const jobs::Job& job, const queue::Leaver& leaver) const {
    if (leaver.as != queue::Leave::retry && leaver.as != queue::Leave::discard) return;
    Fields fields = job_fields(job, worker_);
    fields.emplace_back("error", leaver.payload);
    if (leaver.as == queue::Leave::retry) fields.emplace_back("retry_in_ms", leaver.after.count());
    log(LogLevel::warn, leaver.as == queue::Leave::retry ? "job failed, to be retried" : "job discarded", fields);
}

void Engine::start_slots() {
    int starting = 0;
    {
        const std::lock_guard lock(mutex_);
        const int limit = alone_ ? 1 : parts_.config.worker.concurrency;
        starting = std::max(0, std::min(limit - slots_, line_.startable()));
        slots_ += starting;
    }
    // Nothing escapes from run_slot: a handler's exception is an outcome.
    for (int i = 0; i < starting; ++i) asio::co_spawn(parts_.executor, run_slot(), asio::detached);
}

std::optional<Start> Engine::next_start() {
    const std::lock_guard lock(mutex_);
    std::optional<Start> start;
    if (phase_ == Phase::running) start = line_.next();
    if (start) {
        ++between_;
        pacing_.started(1, Clock::now());
    } else {
        --slots_;
    }
    return start;
}

asio::awaitable<void> Engine::run_slot() {
    int streak = 0;
    while (std::optional<Start> start = next_start()) {
        co_await run_job(std::move(*start));
        if (++streak % streak_limit == 0) co_await asio::post(asio::use_awaitable);
    }
    wakeup_.notify();  // the line may want a refill
}

jobs::Job Engine::make_job(const HeldBundle& held, int n) const {
    jobs::Job job;
    job.id = queue::job_id(held.bundle.id, n);
    job.kind = held.kind->kind->name;
    job.queue = held.queue;
    job.attempt = held.bundle.attempt;
    job.max_attempts = held.kind->kind->policy.max_attempts.value_or(held.bundle.max_attempts);
    job.batch = held.bundle.batch;
    job.traceparent = held.traceparent;
    return job;
}

asio::awaitable<void> Engine::run_job(Start start) {
    HeldBundle& held = *start.held;
    jobs::Job job = make_job(held, start.n);
    job.args = std::move(held.args[static_cast<std::size_t>(queue::element_of(held.bundle.id, start.n))]);
    jobs::ContextHooks hooks;
    hooks.on_progress =
        [this, row = held.bundle.id, claim = held.claim](const jobs::Job& of, const jobs::Progress& progress) {
            bool first = false;
            {
                const std::lock_guard lock(mutex_);
                const auto running = running_.find(&of);
                if (running == running_.end()) return;
                first = !progress_.due();
                running->second.reported = true;
                progress_.report(
                    {of.id,
                     row,
                     claim,
                     std::max<std::int64_t>(progress.done, 0),
                     std::max<std::int64_t>(progress.total, 0),
                     clean_text(progress.message, message_limit)}
                );
            }
            if (first) wakeup_.notify();
        };
    hooks.on_log = [worker = worker_id()](const jobs::Job& of, jobs::LogLevel level, std::string_view line) {
        log(level == jobs::LogLevel::warning ? LogLevel::warn : LogLevel::info, line, job_fields(of, worker));
    };
    hooks.checkout = [this] { return parts_.pool.checkout(); };
    jobs::JobContext context(std::move(job), std::move(hooks));
    const auto started = Clock::now();
    if (const auto& timeout = held.kind->kind->policy.timeout) context.set_deadline(started + *timeout);
    {
        const std::lock_guard lock(mutex_);
        --between_;
        if (phase_ >= Phase::closing) {  // everything was handed back while this one was between the line and here
            line_.ended(held, start.n);
            releases_.push_back({held.bundle.id, held.claim, queue::bit(start.n)});
            co_return;
        }
        running_[&context.job()] = {&context, context.job().id, held.bundle.id, held.claim};
        if (!is_ours(held)) context.request_stop(jobs::StopReason::lease_lost);
        if (phase_ >= Phase::interrupt) context.request_stop(jobs::StopReason::shutdown);
    }
    jobs::Outcome outcome;
    try {
        outcome = co_await held.kind->kind->handler(context);
    } catch (const std::exception& error) {
        outcome = jobs::Retry{error.what(), {}};
    } catch (...) {
        outcome = jobs::Retry{"the handler threw something that is not a std::exception", {}};
    }
    record(start, std::move(outcome), context, Clock::now() - started);
}

void Engine::record(Start& start, jobs::Outcome outcome, jobs::JobContext& context, std::chrono::nanoseconds took) {
    HeldBundle& held = *start.held;
    const auto now = Clock::now();
    const jobs::StopReason stopped = context.stop_reason();
    bool flush_now = false;
    {
        const std::lock_guard lock(mutex_);
        line_.ended(held, start.n);
        if (held.bundle.strikes > 0) alone_ = false;
        const auto running = running_.find(&context.job());
        if (running == running_.end()) return;  // handed back while it ran
        const bool reported = running->second.reported;
        running_.erase(running);
        progress_.forget(context.job().id);
        const bool completed = std::holds_alternative<jobs::Complete>(outcome);
        if (stopped == jobs::StopReason::lease_lost || !is_ours(held)) {
            parts_.metrics.count_leases_lost(1);
        } else if (stopped == jobs::StopReason::shutdown && !completed) {
            // A polite stop is no failure: the job goes back, its attempt refunded.
            releases_.push_back({held.bundle.id, held.claim, queue::bit(start.n)});
            held.kind->metrics->count(AttemptEnd::released, took);
        } else {
            const Attempt attempt{start.n, held.bundle.attempt, context.job().max_attempts, stopped};
            const VerdictLimits limits{parts_.config.limits.result};
            const double random = std::uniform_real_distribution<double>(0, 1)(random_);
            auto leaver = verdict(std::move(outcome), attempt, held.kind->kind->policy, limits, random);
            held.kind->metrics->count(attempt_end(leaver), took);
            if (leaver) {
                leaver->took = std::chrono::duration_cast<std::chrono::milliseconds>(took);
                log_failure(context.job(), *leaver);
                outcomes_.leave(held.bundle.id, held.claim, std::move(*leaver), reported, now);
            } else {
                held.uncompleted &= ~queue::bit(start.n);
                outcomes_.complete(held.bundle.id, held.claim, start.n, reported, held.uncompleted == 0, now);
            }
        }
        // The claimer sleeps until the linger of an earlier outcome, or for long when there was none.
        flush_now = outcomes_.jobs() <= 1 || line_.unstarted() == 0;
    }
    if (flush_now) wakeup_.notify();
}

}  // namespace worker

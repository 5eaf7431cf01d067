// The engine's slots: how one job runs, from the line to its outcome.
#include "worker/engine.hpp"
#include "worker/log_cause.hpp"
#include "worker/verdict.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace asio = boost::asio;

namespace worker {

namespace {
constexpr std::size_t message_limit = 1'000;      // bytes of a progress message
constexpr std::chrono::microseconds streak{500};  // how long a slot runs jobs before it lets others have the thread

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

// The text of an error may hold whatever the job did: it is in the database (`job show`), and in the log only when that
// is asked for. Each dead letter is a line. Of a kind that goes on failing for one cause the first failures are; the
// attempts of each job stand in its errors.
void Engine::log_failure(const jobs::Job& job, const queue::Leaver& leaver) const {
    if (leaver.as != queue::Leave::retry && leaver.as != queue::Leave::discard) return;
    Fields fields = job_fields(job, worker_);
    const std::string cause(failure_cause(leaver.payload));
    if (!cause.empty()) fields.emplace_back("cause", cause);
    if (is_logged(Component::jobs, LogLevel::debug)) fields.emplace_back("error", leaver.payload);
    if (leaver.as == queue::Leave::discard) {
        log(Component::jobs, LogLevel::warn, "job discarded", fields);
        return;
    }
    fields.emplace_back("retry_in_ms", leaver.after.count());
    std::string subject = cause.empty() ? job.kind : job.kind + ": " + cause;
    log_limited(Component::jobs, LogLevel::warn, "job failed, to be retried", fields, std::move(subject));
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

// Takes the next job from the line; without one the slot is gone. Under the mutex.
bool Engine::start_next(Slot& slot, Clock::time_point now) {
    std::optional<Start> start;
    if (phase_ == Phase::running) start = line_.next();
    if (!start) {
        --slots_;
        return false;
    }
    pacing_.started(1, now);
    const HeldBundle& held = *start->held;
    const queue::JobId id = queue::job_id(held.bundle.id, start->n);
    const std::string_view args =
        held.args.element(static_cast<std::size_t>(queue::element_of(held.bundle.id, start->n)));
    if (slot.start.held == start->held) {
        slot.context->renew(id, args);
    } else {
        jobs::Job job;
        if (slot.context) job = std::move(*slot.context).take_job();
        job.id = id;
        job.kind = held.kind->kind->name;
        job.queue = held.queue;
        job.attempt = held.bundle.attempt;
        job.max_attempts = held.kind->kind->policy.max_attempts.value_or(held.bundle.max_attempts);
        job.batch = held.bundle.batch;
        job.args = jobs::Args(start->held, args);
        job.traceparent = held.traceparent;
        slot.context.emplace(std::move(job), &hooks_);
    }
    slot.start = std::move(*start);
    if (const auto& timeout = held.kind->kind->policy.timeout) slot.context->set_deadline(now + *timeout);
    slot.node.front() = {
        .context = &*slot.context,
        .held = slot.start.held.get(),
        .job = id,
        .row = held.bundle.id,
        .claim = held.claim,
        .started = now
    };
    running_.splice(running_.end(), slot.node);
    return true;
}

asio::awaitable<void> Engine::run_slot() {
    Slot slot;
    auto now = Clock::now();
    auto let_others = now + streak;
    bool has_job = false;
    {
        const std::lock_guard lock(mutex_);
        has_job = start_next(slot, now);
    }
    while (has_job) {
        jobs::Outcome outcome;
        try {
            outcome = co_await slot.start.held->kind->kind->handler(*slot.context);
        } catch (const jobs::ArgsError& error) {
            outcome = jobs::Discard{error.what()};
        } catch (const jobs::ResultError& error) {
            outcome = jobs::Discard{error.what()};
        } catch (const jobs::LeaseLost& error) {
            slot.context->request_stop(jobs::StopReason::lease_lost);
            outcome = jobs::Retry{error.what(), {}};
        } catch (const std::exception& error) {
            outcome = jobs::Retry{error.what(), {}};
        } catch (...) {
            outcome = jobs::Retry{"the handler threw something that is not a std::exception", {}};
        }
        now = Clock::now();
        bool flush_now = false;
        {
            const std::lock_guard lock(mutex_);
            end(slot, std::move(outcome), now);
            // The claimer sleeps until the linger of an earlier outcome, or for long when there was none.
            flush_now = outcomes_.jobs() <= 1 || line_.unstarted() == 0;
            has_job = start_next(slot, now);
        }
        if (slot.apart) {
            Apart apart = *std::exchange(slot.apart, std::nullopt);
            asio::co_spawn(parts_.executor, write_apart(std::move(apart)), asio::detached);
        }
        if (flush_now) wakeup_.notify();
        if (now < let_others) continue;
        co_await asio::post(asio::use_awaitable);
        let_others = Clock::now() + streak;
    }
    wakeup_.notify();  // the line may want a refill
}

// Takes the slot's job out of those that run. Under the mutex.
void Engine::end(Slot& slot, jobs::Outcome outcome, Clock::time_point now) {
    HeldBundle& held = *slot.start.held;
    const int n = slot.start.n;
    slot.node.splice(slot.node.begin(), running_, slot.running);
    const Running& running = slot.node.front();
    const std::chrono::nanoseconds took = now - running.started;
    line_.ended(held, n);
    make_room(*held.kind);
    if (held.bundle.strikes > 0) {
        alone_ = false;
        suspect_turn_.end(now);
    }
    const jobs::StopReason stopped = slot.context->stop_reason();
    const jobs::Job& job = slot.context->job();
    if (has_completed(slot, outcome)) {
        held.kind->tally.add(AttemptEnd::completed, took);
        return;
    }
    if (running.handed_back) return;
    progress_.forget(job.id);
    const bool completed = std::holds_alternative<jobs::Complete>(outcome);
    if (stopped == jobs::StopReason::lease_lost || !is_ours(held)) {
        parts_.metrics.count_leases_lost(1);
        return;
    }
    if (stopped == jobs::StopReason::shutdown && !completed) {
        // A polite stop is no failure: the job goes back, its attempt refunded.
        held.kind->tally.add(AttemptEnd::released, took);
        if (running.completes) {
            leave(slot, {n, queue::Leave::snooze}, now);
        } else {
            releases_.push_back({held.bundle.id, held.claim, queue::bit(n)});
        }
        return;
    }
    const Attempt attempt{n, held.bundle.attempt, job.max_attempts, stopped};
    const VerdictLimits limits{parts_.config.limits.result};
    // Not the library's distribution, which takes a logarithm each time.
    const double random = static_cast<double>(random_() >> 11) * 0x1p-53;
    auto leaver = verdict(std::move(outcome), attempt, held.kind->kind->policy, limits, random);
    held.kind->tally.add(attempt_end(leaver), took);
    if (leaver) {
        leaver->took = std::chrono::duration_cast<std::chrono::milliseconds>(took);
        log_failure(job, *leaver);
        leave(slot, std::move(*leaver), now);
    } else {
        held.uncompleted &= ~queue::bit(n);
        outcomes_.complete(held.bundle.id, held.claim, n, running.reported, held.uncompleted == 0, now);
    }
}

void Engine::report_progress(const jobs::Job& job, const jobs::Progress& progress) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        Running* const running = find_running(job);
        if (running == nullptr || running->handed_back || running->completes) return;
        first = !progress_.due();
        running->reported = true;
        progress_.report(
            {job.id,
             running->row,
             running->claim,
             std::max<std::int64_t>(progress.done, 0),
             std::max<std::int64_t>(progress.total, 0),
             clean_text(progress.message, message_limit)}
        );
    }
    if (first) wakeup_.notify();
}

jobs::ContextHooks Engine::context_hooks() {
    return {
        .on_progress = [this](const jobs::Job& job, const jobs::Progress& progress) { report_progress(job, progress); },
        .on_log =
            [this](const jobs::Job& job, jobs::LogLevel level, std::string_view line) {
                log(Component::handlers,
                    level == jobs::LogLevel::warning ? LogLevel::warn : LogLevel::info,
                    line,
                    job_fields(job, worker_id()));
            },
        .checkout = [this](std::source_location where) { return parts_.pool.checkout(where); },
        .complete_in = [this](
                           const jobs::Job& job, db::Session& session, std::optional<boost::json::value> result
                       ) { return complete_in(job, session, std::move(result)); },
    };
}

}  // namespace worker

// Jobs that complete inside their handlers' transactions. The engine learns how such a transaction ended from the
// connection; where nobody knows, the row does, and an ordinary outcome that comes too late changes nothing.
#include "db/connection.hpp"
#include "db/pipeline.hpp"
#include "queue/complete.hpp"
#include "queue/plans.hpp"
#include "worker/engine.hpp"
#include "worker/jitter.hpp"
#include "worker/verdict.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace worker {

namespace {
constexpr std::chrono::milliseconds first_pause{100};
constexpr std::chrono::milliseconds longest_pause{2'000};
}  // namespace

// Under the mutex.
Engine::Running* Engine::find_running(const jobs::Job& job) {
    const auto found = std::ranges::find_if(running_, [&](const Running& one) { return &one.context->job() == &job; });
    return found == running_.end() ? nullptr : &*found;
}

asio::awaitable<void> Engine::complete_in(
    const jobs::Job& job, db::Session& session, std::optional<boost::json::value> result
) {
    queue::Completion completion;
    completion.longest_idle = parts_.config.worker.lease_timeout;
    completion.keep = keep_.keep_completed;
    if (result) {
        completion.result = boost::json::serialize(*result);
        if (const auto problem = result_problem(*completion.result, {parts_.config.limits.result}))
            throw jobs::ResultError(*problem);
    }
    if (!session.connection().in_transaction())
        throw std::logic_error("complete_in needs a transaction that is open on its session: see db::transact");
    {
        const std::lock_guard lock(mutex_);
        Running* const running = find_running(job);
        if (running == nullptr) throw std::logic_error("complete_in of a job that does not run");
        if (!running->held->kind->kind->policy.own_row)
            throw std::logic_error("kind " + job.kind + " must declare own_row for complete_in: its jobs share rows");
        if (running->handed_back || !is_ours(*running->held)) throw jobs::LeaseLost("the lease of the job is lost");
        running->completes = session.connection().watch_transaction();
        progress_.forget(job.id);
        completion.worker = running->held->worker;
        completion.row = running->row;
        completion.claim = running->claim;
        completion.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - running->started);
    }
    try {
        co_await queue::complete_job(session, std::move(completion));
    } catch (const db::Error& error) {
        if (queue::is_lease_lost(error)) throw jobs::LeaseLost(error.what());
        throw;
    }
}

// Whether the job of a slot has completed with its handler's transaction. If that did not commit, completing would lose
// what it did. Under the mutex.
bool Engine::has_completed(Slot& slot, jobs::Outcome& outcome) {
    const Running& running = slot.node.front();
    if (!running.completes) return false;
    const bool answered = std::holds_alternative<jobs::Complete>(outcome);
    if (*running.completes == db::TransactionEnd::committed) {
        const jobs::Job& job = slot.context->job();
        if (!answered)
            log_limited(
                Component::jobs,
                LogLevel::warn,
                "what a handler answered after its job had completed in its transaction is ignored",
                job_fields(job, worker_),
                job.kind
            );
        return true;
    }
    if (answered) outcome = jobs::Retry{"the transaction in which the handler completed the job did not commit", {}};
    return false;
}

// Under the mutex.
void Engine::leave(Slot& slot, queue::Leaver leaver, Clock::time_point now) {
    const HeldBundle& held = *slot.start.held;
    const Running& running = slot.node.front();
    if (!running.completes || *running.completes == db::TransactionEnd::rolled_back) {
        outcomes_.leave(held.bundle.id, held.claim, std::move(leaver), running.reported, now);
        return;
    }
    ++apart_;
    queue::FinishedRow row{.row = held.bundle.id, .claim = held.claim};
    row.leavers.push_back(std::move(leaver));
    slot.apart = Apart{held.worker, std::move(row)};
}

// Nobody waits for what it writes any more. Under the mutex.
bool Engine::is_over(queue::WorkerId worker) const {
    return suspended_ || worker != worker_ || phase_ >= Phase::closing;
}

// Writes an outcome by itself: should its row still be locked, no other outcome waits for that.
asio::awaitable<void> Engine::write_apart(Apart apart) {
    const std::vector<queue::FinishedRow> rows{std::move(apart.row)};
    asio::steady_timer timer(parts_.executor);
    for (auto pause = first_pause;; pause = std::min(2 * pause, longest_pause)) {
        bool written = false;
        try {
            db::Session session = co_await parts_.pool.checkout();
            co_await db::pipelined(
                session, queue::fix_plans(session), queue::finish_jobs(session, apart.worker, rows, keep_)
            );
            written = true;
        } catch (const db::Error&) {
            // The rounds tell of the database.
        }
        {
            const std::lock_guard lock(mutex_);
            if (written || is_over(apart.worker)) {
                --apart_;
                break;
            }
        }
        timer.expires_after(jittered(pause));
        co_await timer.async_wait(asio::use_awaitable);
    }
    wakeup_.notify();
}

}  // namespace worker

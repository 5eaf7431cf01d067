// The engine's state: what it holds, what is asked of it from outside, when it is done.
#include "worker/engine.hpp"

#include "db/connection.hpp"
#include "queue/limits.hpp"
#include "queue/names.hpp"
#include "queue/plans.hpp"

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace worker {

namespace {
constexpr std::chrono::milliseconds suspect_patience{2'000};

// Not all workers make room for the same suspect.
std::chrono::milliseconds between_one_and_two(std::chrono::milliseconds time) {
    std::random_device random;
    return time + std::chrono::milliseconds(random() % static_cast<unsigned>(time.count()));
}
}  // namespace

Engine::Engine(EngineParts parts)
    : parts_(parts),
      wakeup_(parts.executor),
      keep_{parts.config.retention.completed.count() > 0, parts.config.retention.cancelled.count() > 0},
      hooks_(context_hooks()),
      pacing_(pacing_settings(parts.config.worker)),
      abandoned_(Abandoned::patience(parts.config.database.connection)),
      random_(std::random_device{}()),
      suspect_turn_(between_one_and_two(suspect_patience)) {
    for (const std::string& name : parts.registry.names()) {
        kinds_[name] = {.kind = parts.registry.find(name), .metrics = &parts.metrics.of_kind(name)};
    }
}

Engine::~Engine() = default;

asio::awaitable<void> Engine::prepare() {
    std::vector<queue::QueueDeclaration> declarations;
    for (const auto& [name, queue] : parts_.config.queues) {
        declarations.push_back(
            {name,
             queue.concurrency > 0 ? std::optional(queue.concurrency) : std::nullopt,
             queue.paused ? std::optional(true) : std::nullopt}
        );
    }
    std::vector<queue::NewKind> kinds;
    for (const auto& [name, kind] : kinds_) {
        kinds.push_back({name, kind.kind->policy.own_row ? std::optional<std::int16_t>(1) : std::nullopt});
    }
    db::Session session = co_await parts_.pool.checkout();
    co_await queue::set_limits(
        session,
        {.args = parts_.config.limits.args,
         .keep_completed = parts_.config.retention.completed,
         .keep_cancelled = parts_.config.retention.cancelled}
    );
    co_await queue::declare_queues(session, declarations);
    const std::vector<queue::KindName> names = co_await queue::intern_kinds(session, kinds);
    const std::vector<queue::Queue> queues = co_await queue::read_queues(session);
    auto quickest = Clock::duration::max();
    for (int i = 0; i < 3; ++i) {
        const auto sent = Clock::now();
        co_await queue::fix_plans(session);
        quickest = std::min(quickest, Clock::now() - sent);
    }
    const std::lock_guard lock(mutex_);
    quickest_round_trip_ = quickest;
    for (const queue::KindName& name : names) {
        RunnableKind& kind = kinds_.find(name.name)->second;
        kinds_by_id_[name.id] = &kind;
        if (kind.kind->policy.own_row) own_row_.push_back(name.id);
        if (kind.kind->policy.concurrency > 0) limited_kinds_.emplace_back(name.id, &kind);
    }
    take_queues(queues);
}

asio::awaitable<void> Engine::refresh_queues(db::Session& session) {
    const std::vector<queue::Queue> queues = co_await queue::read_queues(session);
    bool changed = false;
    {
        const std::lock_guard lock(mutex_);
        changed = take_queues(queues);
    }
    if (changed) wake();  // jobs may be waiting in one that was paused
}

// Answers whether anything changed. Under the mutex.
bool Engine::take_queues(const std::vector<queue::Queue>& queues) {
    const std::vector<std::string>& served = parts_.config.worker.queues;
    std::map<queue::QueueId, queue::Queue> taken;
    for (const queue::Queue& queue : queues) {
        line_.set_queue_limit(queue.id, queue.concurrency.value_or(0));
        if (served.empty() || std::ranges::find(served, queue.name) != served.end()) taken[queue.id] = queue;
    }
    const bool changed = taken != queues_;
    queues_ = std::move(taken);
    return changed;
}

void Engine::set_listening(bool listening) {
    {
        const std::lock_guard lock(mutex_);
        pacing_.set_listening(listening);
    }
    wakeup_.notify();
}

void Engine::wake() {
    {
        const std::lock_guard lock(mutex_);
        cursors_.woken();
        pacing_.wake();
    }
    wakeup_.notify();
}

void Engine::came_back(queue::RowId first) {
    {
        const std::lock_guard lock(mutex_);
        // Where that is dear a sweep finds them, within a second or so.
        if (!cursors_.is_costly()) cursors_.step_back(first);
        cursors_.woken();
        pacing_.wake();
    }
    wakeup_.notify();
}

void Engine::cancel(const std::vector<queue::CancelRequest>& requests) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    for (const queue::CancelRequest& request : requests) {
        const queue::Mask unstarted = line_.drop(request.row, request.claim, request.jobs);
        for (int n = 0; n < queue::max_bundle_jobs; ++n) {
            if ((request.jobs & queue::bit(n)) == 0) continue;
            if ((unstarted & queue::bit(n)) != 0) {
                outcomes_.leave(
                    request.row, request.claim, {n, queue::Leave::cancel, "cancelled before it started"}, false, now
                );
                continue;
            }
            for (const Running& running : running_) {
                if (running.claim == request.claim && running.job == queue::job_id(request.row, n)) {
                    running.context->request_stop(jobs::StopReason::cancelled);
                }
            }
        }
    }
    wakeup_.notify();
}

void Engine::lose_leases() {
    const std::lock_guard lock(mutex_);
    suspended_ = true;
    line_.drop_unstarted();
    outcomes_.take();
    progress_.clear();
    releases_.clear();
    abandoned_.clear();
    unknown_.clear();
    for (const Running& running : running_) running.context->request_stop(jobs::StopReason::lease_lost);
}

void Engine::adopt(queue::WorkerId worker) {
    {
        const std::lock_guard lock(mutex_);
        worker_ = worker;
        suspended_ = false;
        hungry_ = false;
        cursors_.forget();
        pacing_.wake();
    }
    wakeup_.notify();
}

void Engine::stop_overdue(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    for (const Running& running : running_) {
        const auto deadline = running.context->deadline();
        if (deadline && now >= *deadline) running.context->request_stop(jobs::StopReason::timeout);
    }
}

void Engine::enter(Phase phase) {
    {
        const std::lock_guard lock(mutex_);
        phase_ = std::max(phase_, phase);
        if (phase_ >= Phase::draining) {
            for (queue::Unstarted& unstarted : line_.drop_unstarted()) releases_.push_back(unstarted);
        }
        if (phase_ >= Phase::interrupt) {
            for (const Running& running : running_) running.context->request_stop(jobs::StopReason::shutdown);
        }
        if (phase_ >= Phase::closing) {
            for (Running& running : running_) {
                // What may complete with a transaction may be locked. Should it not, the rescue finds it.
                if (running.completes && *running.completes != db::TransactionEnd::rolled_back) continue;
                if (std::exchange(running.handed_back, true)) continue;
                releases_.push_back({running.row, running.claim, queue::bit(queue::job_number(running.job))});
            }
        }
    }
    wakeup_.notify();
}

Load Engine::load() const {
    Load load;
    load.running = line_.running();
    load.unstarted = line_.unstarted();
    load.startable = line_.startable();
    load.outcomes = outcomes_.jobs();
    load.whole = outcomes_.whole_jobs();
    load.outcomes_since = outcomes_.since();
    load.rounds = rounds_;
    // A claim passes over the rows that those beside it hold: dear where a row has a job or two.
    load.most_rounds = jobs_per_row_ < 8 ? 2 : 3;
    load.asked = asked_;
    load.bytes = line_.unstarted_bytes();
    const bool suspect_here = alone_ && line_.running() + line_.unstarted() > 0;  // and nothing may be beside it
    load.claiming =
        phase_ == Phase::running && !suspended_ && !suspect_here && !suspect_turn_.holds() && !queues_.empty();
    return load;
}

bool Engine::is_done() const {
    return phase_ >= Phase::draining && rounds_ == 0 && !sweeping_ && outcomes_.empty() && releases_.empty() &&
           !abandoned_.is_pending() && (phase_ >= Phase::closing || (running_.empty() && apart_ == 0));
}

bool Engine::has_ended() const {
    const std::lock_guard lock(mutex_);
    return slots_ == 0 && apart_ == 0;
}

queue::WorkerId Engine::worker_id() const {
    const std::lock_guard lock(mutex_);
    return worker_;
}

Engine::Snapshot Engine::snapshot() const {
    const std::lock_guard lock(mutex_);
    return {line_.running(), line_.unstarted(), outcomes_.jobs(), load().claiming};
}

void Engine::count_ended() {
    const std::lock_guard lock(mutex_);
    for (auto& [name, kind] : kinds_) kind.metrics->count(std::exchange(kind.tally, {}));
}

}  // namespace worker

#include "worker/maintenance.hpp"

#include "db/pipeline.hpp"
#include "queue/batches.hpp"
#include "queue/depth.hpp"
#include "queue/names.hpp"
#include "queue/plans.hpp"
#include "queue/promote.hpp"
#include "queue/rescue.hpp"
#include "queue/retention.hpp"
#include "worker/jitter.hpp"
#include "worker/startup.hpp"

#include <algorithm>
#include <utility>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker {

namespace {
constexpr std::chrono::milliseconds lead_for = 3s;
constexpr std::chrono::milliseconds watch_period = 1500ms;  // of those who do not lead
static_assert(lead_for + watch_period * 1.1 < 5s, "a leader's death is noticed within 5 s");
constexpr std::chrono::milliseconds soonest = 50ms;  // where a job is known to be due then
constexpr std::chrono::milliseconds shortest_pause = 200ms;
constexpr std::chrono::milliseconds longest_pause = 1s;  // how late a job enqueued with a short delay may start
constexpr std::chrono::milliseconds pause_after_failure = 500ms;
constexpr std::chrono::milliseconds fold_period = 500ms;
constexpr std::chrono::milliseconds measure_period = 5s;
constexpr std::chrono::milliseconds empty_measure_period = 30s;
constexpr std::chrono::milliseconds budget_period = 60s;  // at a change of the fleet at once
constexpr std::chrono::milliseconds prune_period = 60s;
constexpr std::chrono::milliseconds history_period = 600s;
constexpr std::chrono::milliseconds history_retry = 10s;  // while somebody reads the history
constexpr std::chrono::milliseconds late_period = 10s;    // commits that come later than this wait for a poll
constexpr int promote_rows = 1'000;
constexpr int rescue_rows = 100;
constexpr int most_rounds = 20;  // of one step, until the others have their turn
constexpr int cancel_rows = 1'000;
constexpr int prune_rows = 1'000;
constexpr int depth_rows = 10'000;
constexpr int days_ahead = 7;
constexpr std::chrono::seconds keep_keys = 24h;
constexpr std::chrono::seconds keep_workers = 1h;
constexpr std::chrono::seconds keep_progress = 60s;
}  // namespace

Maintenance::Maintenance(
    asio::any_io_executor executor,
    db::Pool& pool,
    const Config& config,
    Engine& engine,
    Metrics& metrics,
    std::function<queue::WorkerId()> worker
)
    : pool_(pool),
      config_(config),
      engine_(engine),
      metrics_(metrics),
      worker_(std::move(worker)),
      wakeup_(std::move(executor)),
      pause_(shortest_pause),
      watch_period_(std::clamp<std::chrono::milliseconds>(config.worker.lease_timeout / 8, 50ms, watch_period)),
      watchman_(config.worker.lease_timeout, config.worker.lease_timeout / 2) {}

void Maintenance::stop() {
    stopping_ = true;
    wakeup_.notify();
}

asio::awaitable<void> Maintenance::run() {
    while (!stopping_) {
        std::string failure;
        auto pause = pause_after_failure;
        try {
            pause = co_await look();
            if (trouble_.clear()) log(LogLevel::info, "maintenance works again");
        } catch (const db::Error& error) {
            failure = error.what();
        }
        if (!failure.empty()) {
            log_once(trouble_, LogLevel::warn, "maintenance failed, it will be tried again", {{"error", failure}});
        }
        co_await wakeup_.wait_for(pause);
    }
    if (!leader_) co_return;
    try {
        db::Session session = co_await pool_.checkout();
        co_await queue::yield_leadership(session, worker_());
    } catch (const db::Error&) {
        // The lease ends by itself.
    }
    leader_ = false;
}

// Answers when to look again.
asio::awaitable<std::chrono::milliseconds> Maintenance::look() {
    queue::Look look;
    {
        db::Session session = co_await pool_.checkout();
        look = co_await queue::look(session, {worker_(), lead_for, late_after_});
    }
    // Everybody watches, so that a new leader need not begin anew.
    const std::vector<queue::SeenBeat> silent = watchman_.observe(look.beats, Clock::now());
    if (look.leads != leader_) change_lead(look.leads);
    if (!look.leads) co_return jittered(watch_period_);
    const bool found = co_await lead(look, silent);
    pause_ = std::min({found ? shortest_pause : 2 * pause_, longest_pause, watch_period_});
    if (found || !look.next_run) co_return pause_;
    co_return std::min(std::max(*look.next_run, soonest), pause_);
}

void Maintenance::change_lead(bool leads) {
    leader_ = leads;
    late_after_ = {};
    late_next_ = {};
    measured_at_ = {};
    budgeted_at_ = {};
    if (leads) {
        log(LogLevel::info, "leading: this worker does the maintenance");
    } else {
        metrics_.set_queues({});
        metrics_.set_budget({});
    }
}

// Does what there is to do and answers whether there was anything.
asio::awaitable<bool> Maintenance::lead(const queue::Look& look, const std::vector<queue::SeenBeat>& silent) {
    const auto now = Clock::now();
    const auto due = [now](Clock::time_point& next, std::chrono::milliseconds period) {
        if (now < next) return false;
        next = now + period;
        return true;
    };
    if (due(next_late_, late_period)) late_after_ = std::exchange(late_next_, look.last);
    const bool runs = look.next_run && *look.next_run <= 0ms;
    if (runs) co_await promote();
    if ((look.changes || look.batches) && due(next_fold_, fold_period)) co_await fold(look);
    if (!silent.empty()) co_await declare_dead(silent);
    if (!silent.empty() || look.rescues) co_await rescue();
    const bool nothing_new = measured_empty_ && measured_last_ == look.last;
    if (now - measured_at_ >= (nothing_new ? empty_measure_period : measure_period)) {
        co_await measure();
        measured_at_ = now;
        measured_last_ = look.last;
    }
    if (now - budgeted_at_ >= budget_period || budgeted_ != look.connections) {
        co_await check_budget();
        budgeted_at_ = now;
    }
    if (due(next_prune_, prune_period)) co_await prune();
    if (now >= next_history_) next_history_ = now + (co_await keep_history() ? history_period : history_retry);
    co_return runs || look.changes || look.batches || look.rescues;
}

asio::awaitable<void> Maintenance::promote() {
    db::Session session = co_await pool_.checkout();
    for (int round = 0; round < most_rounds; ++round) {
        const auto answers = co_await db::pipelined(
            session, queue::fix_plans(session), queue::promote_jobs(session, db::TimePoint{}, promote_rows)
        );
        const queue::Promoted& promoted = std::get<1>(answers);
        if (promoted.rows > 0) engine_.came_back(std::ranges::min(promoted.lanes, {}, &queue::Refilled::lowest).lowest);
        if (!promoted.more) break;
    }
}

asio::awaitable<void> Maintenance::fold(const queue::Look& look) {
    db::Session session = co_await pool_.checkout();
    if (look.batches) {
        co_await queue::seal_due_batches(session, 100);
        co_await queue::cancel_remaining_jobs(session, cancel_rows);
    }
    const queue::Folded folded = co_await queue::fold_batch_changes(session);
    if (!folded.finished.empty()) engine_.wake();  // callbacks were enqueued
}

asio::awaitable<void> Maintenance::declare_dead(const std::vector<queue::SeenBeat>& silent) {
    db::Session session = co_await pool_.checkout();
    for (const queue::WorkerId dead : co_await queue::declare_dead(session, silent)) {
        log(LogLevel::warn,
            "worker declared dead: its jobs go back to the line",
            {{"worker_id", static_cast<std::int64_t>(dead)}});
    }
}

asio::awaitable<void> Maintenance::rescue() {
    queue::Rescued all;
    {
        db::Session session = co_await pool_.checkout();
        for (int round = 0; round < most_rounds; ++round) {
            const auto answers =
                co_await db::pipelined(session, queue::fix_plans(session), queue::rescue_jobs(session, rescue_rows));
            const queue::Rescued& rescued = std::get<1>(answers);
            all.rows += rescued.rows;
            all.jobs += rescued.jobs;
            all.suspects += rescued.suspects;
            all.quarantined += rescued.quarantined;
            all.cancelled += rescued.cancelled;
            if (rescued.rows < rescue_rows) break;
        }
    }
    if (all.rows == 0) co_return;
    metrics_.count_rescues(all.jobs);
    log(LogLevel::warn,
        "jobs of dead workers rescued",
        {{"jobs", all.jobs}, {"suspects", all.suspects}, {"quarantined", all.quarantined}, {"cancelled", all.cancelled}}
    );
    engine_.came_back(queue::RowId{});
}

// Answers false where somebody reads the history, so that a partition could not be added or dropped: nothing else waits
// for that, and each try makes the flushes wait for up to 50 ms.
asio::awaitable<bool> Maintenance::keep_history() {
    db::Session session = co_await pool_.checkout();
    std::string reader;
    try {
        co_await queue::create_partitions(session, days_ahead);
        const auto keep = std::max(config_.retention.completed, config_.retention.cancelled);
        while (co_await queue::drop_partition(session, keep)) {
        }
    } catch (const db::Error& error) {
        if (error.sqlstate() != "55P03") throw;  // lock_not_available
        reader = error.what();
    }
    if (reader.empty()) {
        history_.clear();
    } else {
        log_once(history_, LogLevel::warn, "the history is being read: its partitions wait", {{"error", reader}});
    }
    co_return reader.empty();
}

asio::awaitable<void> Maintenance::prune() {
    db::Session session = co_await pool_.checkout();
    co_await queue::prune_dead_jobs(session, config_.retention.discarded, prune_rows);
    co_await queue::prune_batches(session, config_.retention.batches, prune_rows);
    co_await queue::prune_enqueue_keys(session, keep_keys, prune_rows);
    co_await db::pipelined(
        session,
        queue::fix_plans(session),
        queue::prune_workers(session, keep_workers, prune_rows),
        queue::prune_task_progress(session, keep_progress, prune_rows)
    );
}

// The fleet was held against the server when each worker started; since then the server, or what other services take,
// may have changed.
asio::awaitable<void> Maintenance::check_budget() {
    db::Session session = co_await pool_.checkout();
    const db::Budget budget = co_await read_budget(session, config_, worker_());
    metrics_.set_budget(budget);
    budgeted_ = budget.by_workers();  // as read here: the look was earlier
    if (!budget.fits()) {
        log_once(
            overrun_, LogLevel::warn, "the fleet overruns the connection budget", {{"budget", db::verdict(budget)}}
        );
    } else if (overrun_.clear()) {
        log(LogLevel::info, "the fleet fits the connection budget again");
    }
}

asio::awaitable<void> Maintenance::measure() {
    db::Session session = co_await pool_.checkout();
    const std::vector<queue::Queue> queues = co_await queue::read_queues(session);
    std::vector<queue::LaneCursor> lanes;
    for (const queue::Queue& queue : queues) {
        for (std::int16_t priority = 0; priority <= 9; ++priority) lanes.push_back({queue.id, priority});
    }
    const auto answers =
        co_await db::pipelined(session, queue::fix_plans(session), queue::read_depth(session, lanes, depth_rows));
    std::vector<QueueDepth> depths;
    measured_empty_ = true;
    for (const queue::QueueDepth& depth : std::get<1>(answers)) {
        measured_empty_ = measured_empty_ && depth.available + depth.scheduled + depth.running == 0;
        const auto queue = std::ranges::find(queues, depth.queue, &queue::Queue::id);
        if (queue == queues.end()) continue;
        depths.push_back({queue->name, depth.scheduled, depth.available, depth.running, 0, depth.oldest.value_or(0ms)});
    }
    metrics_.set_queues(std::move(depths));
}

}  // namespace worker

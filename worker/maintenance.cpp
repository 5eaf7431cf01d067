#include "worker/maintenance.hpp"

#include "db/pipeline.hpp"
#include "db/transaction.hpp"
#include "queue/batches.hpp"
#include "queue/depth.hpp"
#include "queue/leader.hpp"
#include "queue/names.hpp"
#include "queue/plans.hpp"
#include "queue/promote.hpp"
#include "queue/rescue.hpp"
#include "queue/retention.hpp"
#include "worker/startup.hpp"

#include <algorithm>
#include <array>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker {

namespace {
constexpr std::chrono::milliseconds lead_for = 8s;
constexpr std::chrono::milliseconds election_period = 2s;
constexpr std::chrono::milliseconds pause_after_failure = 500ms;
constexpr std::chrono::milliseconds refresh_period = 1s;  // how late a paused queue may be noticed
constexpr std::chrono::milliseconds promote_period = 200ms;
constexpr std::chrono::milliseconds fold_period = 500ms;
constexpr std::chrono::milliseconds measure_period = 5s;
constexpr std::chrono::milliseconds budget_period = 5s;
constexpr std::chrono::milliseconds prune_period = 60s;
constexpr std::chrono::milliseconds history_period = 600s;
constexpr int promote_rows = 1'000;
constexpr int rescue_rows = 100;
constexpr int cancel_rows = 1'000;
constexpr int prune_rows = 1'000;
constexpr int depth_rows = 10'000;
constexpr int days_ahead = 7;
constexpr std::chrono::seconds keep_keys = 24h;
constexpr std::chrono::seconds keep_workers = 1h;
}  // namespace

Maintenance::Maintenance(
    asio::any_io_executor executor,
    db::Pool& pool,
    const Config& config,
    Engine& engine,
    Metrics& metrics,
    std::function<queue::WorkerId()> worker
)
    : executor_(executor),
      pool_(pool),
      config_(config),
      engine_(engine),
      metrics_(metrics),
      worker_(std::move(worker)),
      wakeup_(executor),
      rescue_period_(std::clamp<std::chrono::milliseconds>(config.worker.lease_timeout / 8, 50ms, 1s)),
      watchman_(config.worker.lease_timeout, config.worker.lease_timeout / 2) {}

void Maintenance::stop() {
    stopping_ = true;
    wakeup_.notify();
}

asio::awaitable<void> Maintenance::run() {
    while (!stopping_) {
        std::string failure;
        try {
            const auto now = Clock::now();
            if (now >= next_election_) {
                db::Session session = co_await pool_.checkout();
                const bool leads = co_await queue::take_leadership(session, worker_(), lead_for);
                if (leads && !leader_) {
                    watchman_.forget();
                    log(LogLevel::info, "leading: this worker does the maintenance");
                }
                leader_ = leads;
                if (!leads) {
                    metrics_.set_queues({});
                    metrics_.set_budget({});
                }
                next_election_ = now + election_period;
            }
            if (now >= next_refresh_) {
                co_await engine_.refresh_queues();
                next_refresh_ = now + refresh_period;
            }
            if (leader_) co_await lead();
            if (trouble_.clear()) log(LogLevel::info, "maintenance works again");
        } catch (const db::Error& error) {
            failure = error.what();
        }
        if (!failure.empty()) {
            log_once(trouble_, LogLevel::warn, "maintenance failed, it will be tried again", {{"error", failure}});
            co_await wakeup_.wait_for(pause_after_failure);
            continue;
        }
        const auto next =
            leader_ ? std::min({next_election_, next_promote_, next_fold_, next_rescue_}) : next_election_;
        co_await wakeup_.wait_until(std::max(next, Clock::now() + 10ms));
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

asio::awaitable<void> Maintenance::lead() {
    const auto now = Clock::now();
    const auto due = [now](Clock::time_point& next, std::chrono::milliseconds period) {
        if (now < next) return false;
        next = now + period;
        return true;
    };
    if (now >= next_history_) {
        co_await keep_history();
        next_history_ = now + history_period;  // after it succeeded
    }
    if (due(next_promote_, promote_period)) co_await promote();
    if (due(next_fold_, fold_period)) co_await fold();
    if (due(next_rescue_, rescue_period_)) co_await rescue();
    if (due(next_measure_, measure_period)) co_await measure();
    if (due(next_budget_, budget_period)) co_await check_budget();
    if (due(next_prune_, prune_period)) co_await prune();
}

asio::awaitable<void> Maintenance::promote() {
    db::Session session = co_await pool_.checkout();
    const auto answers = co_await db::pipelined(
        session, queue::fix_plans(session), queue::promote_jobs(session, db::TimePoint{}, promote_rows)
    );
    const queue::Promoted& promoted = std::get<1>(answers);
    if (promoted.rows > 0) engine_.came_back(std::ranges::min(promoted.lanes, {}, &queue::Refilled::lowest).lowest);
    if (promoted.more) next_promote_ = {};
}

asio::awaitable<void> Maintenance::fold() {
    const queue::Folded folded =
        co_await db::transact(pool_, [](db::Session& session) { return queue::fold_batch_changes(session); });
    if (!folded.finished.empty()) engine_.wake();  // callbacks were enqueued
    db::Session session = co_await pool_.checkout();
    co_await queue::seal_due_batches(session, 100);
    co_await queue::cancel_remaining_jobs(session, cancel_rows);
}

asio::awaitable<void> Maintenance::rescue() {
    db::Session session = co_await pool_.checkout();
    const std::vector<queue::Worker> workers = co_await queue::read_workers(session);
    const std::vector<queue::SeenBeat> silent = watchman_.observe(workers, Clock::now());
    if (!silent.empty()) {
        for (const queue::WorkerId dead : co_await queue::declare_dead(session, silent)) {
            log(LogLevel::warn,
                "worker declared dead: its jobs go back to the line",
                {{"worker_id", static_cast<std::int64_t>(dead)}});
        }
    }
    for (int round = 0; round < 20; ++round) {
        const auto answers =
            co_await db::pipelined(session, queue::fix_plans(session), queue::rescue_jobs(session, rescue_rows));
        const queue::Rescued& rescued = std::get<1>(answers);
        if (rescued.rows == 0) break;
        metrics_.count_rescues(rescued.jobs);
        log(LogLevel::warn,
            "jobs of dead workers rescued",
            {{"jobs", rescued.jobs},
             {"suspects", rescued.suspects},
             {"quarantined", rescued.quarantined},
             {"cancelled", rescued.cancelled}});
        engine_.came_back(queue::RowId{});
        if (rescued.rows < rescue_rows) break;
    }
}

asio::awaitable<void> Maintenance::keep_history() {
    db::Session session = co_await pool_.checkout();
    co_await queue::create_partitions(session, days_ahead);
    const auto keep = std::max(config_.retention.completed, config_.retention.cancelled);
    while (co_await queue::drop_partition(session, keep)) {
    }
}

asio::awaitable<void> Maintenance::prune() {
    db::Session session = co_await pool_.checkout();
    co_await queue::prune_dead_jobs(session, config_.retention.discarded, prune_rows);
    co_await queue::prune_batches(session, config_.retention.batches, prune_rows);
    co_await queue::prune_enqueue_keys(session, keep_keys, prune_rows);
    co_await db::pipelined(session, queue::fix_plans(session), queue::prune_workers(session, keep_workers, prune_rows));
}

// The fleet was held against the server when each worker started; since then the server, or what other services take,
// may have changed.
asio::awaitable<void> Maintenance::check_budget() {
    db::Session session = co_await pool_.checkout();
    const db::Budget budget = co_await read_budget(session, config_, worker_());
    metrics_.set_budget(budget);
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
    for (const queue::QueueDepth& depth : std::get<1>(answers)) {
        const auto queue = std::ranges::find(queues, depth.queue, &queue::Queue::id);
        if (queue == queues.end()) continue;
        depths.push_back({queue->name, depth.scheduled, depth.available, depth.running, 0, depth.oldest.value_or(0ms)});
    }
    metrics_.set_queues(std::move(depths));
}

}  // namespace worker

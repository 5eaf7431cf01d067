// What the leader keeps up by the clock: the history, what is too old, the budget, the depth of the queues.
#include "db/pipeline.hpp"
#include "queue/batches.hpp"
#include "queue/depth.hpp"
#include "queue/names.hpp"
#include "queue/plans.hpp"
#include "queue/retention.hpp"
#include "worker/maintenance.hpp"
#include "worker/startup.hpp"

#include <algorithm>
#include <utility>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker {

namespace {
constexpr std::chrono::milliseconds history_period = 600s;
constexpr int days_ahead = 7;
constexpr int prune_rows = 1'000;
constexpr std::chrono::seconds keep_keys = 24h;
constexpr std::chrono::seconds keep_workers = 1h;
constexpr std::chrono::seconds keep_progress = 60s;
constexpr int depth_rows = 10'000;
}  // namespace

// Where somebody reads the history no partition can be added or dropped: nothing else waits for that, and each try
// makes the flushes wait for up to 50 ms.
asio::awaitable<void> Maintenance::keep_history() {
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
    if (!reader.empty()) {
        log_once(
            history_,
            Component::maintenance,
            LogLevel::warn,
            "the history is being read: its partitions wait",
            {{"error", reader}}
        );
        co_return;
    }
    history_.clear();
    next_history_ = Clock::now() + history_period;
}

// One step of each; where there is more the next follows at once.
asio::awaitable<void> Maintenance::prune() {
    db::Session session = co_await pool_.checkout();
    const queue::Pruned dead = co_await queue::prune_dead_jobs(session, config_.retention.discarded, prune_rows);
    const int keys = co_await queue::prune_enqueue_keys(session, keep_keys, prune_rows);
    const auto answers = co_await db::pipelined(
        session,
        queue::fix_plans(session),
        queue::prune_batches(session, {config_.retention.batches, config_.retention.discarded}, prune_rows),
        queue::prune_workers(session, keep_workers, prune_rows),
        queue::prune_task_progress(session, keep_progress, prune_rows)
    );
    const int most = std::max({keys, std::get<2>(answers), std::get<3>(answers)});
    if (dead.more || std::get<1>(answers).more || most == prune_rows) next_prune_ = {};
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
            overrun_,
            Component::maintenance,
            LogLevel::warn,
            "the fleet overruns the connection budget",
            {{"budget", db::verdict(budget)}}
        );
    } else if (overrun_.clear()) {
        log(Component::maintenance, LogLevel::info, "the fleet fits the connection budget again");
    }
}

asio::awaitable<void> Maintenance::measure() {
    db::Session session = co_await pool_.checkout();
    const std::vector<queue::Queue> queues = co_await queue::read_queues(session);
    const std::vector<queue::LaneCursor> lanes = queue::all_lanes(queues);
    const auto answers =
        co_await db::pipelined(session, queue::fix_plans(session), queue::read_depth(session, lanes, depth_rows));
    std::vector<QueueDepth> depths;
    measured_empty_ = true;
    for (const queue::QueueDepth& depth : std::get<1>(answers)) {
        measured_empty_ = measured_empty_ && depth.available + depth.scheduled + depth.retryable + depth.running == 0;
        const auto queue = std::ranges::find(queues, depth.queue, &queue::Queue::id);
        if (queue == queues.end()) continue;
        depths.push_back({
            .queue = queue->name,
            .scheduled = depth.scheduled,
            .available = depth.available,
            .running = depth.running,
            .retryable = depth.retryable,
            .oldest_ready = depth.oldest.value_or(0ms),
        });
    }
    metrics_.set_queues(std::move(depths));
    co_await measure_batches(session);
}

asio::awaitable<void> Maintenance::measure_batches(db::Session& session) {
    const std::vector<queue::BatchLoad> loads = co_await queue::read_batch_loads(session);
    std::vector<BatchGauge> gauges;
    for (const queue::BatchLoad& load : loads) gauges.push_back({load.state, load.batches, load.jobs_left});
    measured_empty_ = measured_empty_ && loads.empty();
    metrics_.set_batches(std::move(gauges));
}

}  // namespace worker

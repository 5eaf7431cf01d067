#include "worker/maintenance.hpp"

#include "db/pipeline.hpp"
#include "queue/batches.hpp"
#include "queue/plans.hpp"
#include "queue/promote.hpp"
#include "queue/rescue.hpp"
#include "worker/jitter.hpp"

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
constexpr std::chrono::milliseconds first_retry = 500ms;
constexpr std::chrono::milliseconds longest_retry = 2s;
constexpr std::chrono::milliseconds fold_period = 500ms;
constexpr std::chrono::milliseconds measure_period = 5s;
constexpr std::chrono::milliseconds empty_measure_period = 30s;
constexpr std::chrono::milliseconds budget_period = 60s;  // at a change of the fleet at once
constexpr std::chrono::milliseconds prune_period = 60s;
constexpr std::chrono::milliseconds history_retry = 10s;  // while somebody reads the history
// Of one step, until the others have theirs: a whole pass must be short against the lead and lease_timeout.
constexpr std::chrono::milliseconds turn = 300ms;
constexpr std::chrono::milliseconds late_period = 10s;  // commits that come later than this wait for a poll
constexpr int promote_rows = 1'000;
constexpr int rescue_rows = 100;
constexpr int cancel_rows = 1'000;
constexpr int seal_batches = 500;
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
    auto retry = first_retry;
    while (!stopping_) {
        auto pause = jittered(retry);
        step_failed_ = false;
        try {
            pause = co_await look();
            retry = first_retry;
            worked("look");
        } catch (const db::Error& error) {
            failed("look", error);
            retry = std::min(2 * retry, longest_retry);
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

void Maintenance::failed(std::string_view step, const db::Error& error) {
    step_failed_ = true;
    log_once(
        trouble_[step],
        Component::maintenance,
        LogLevel::warn,
        "maintenance failed, it will be tried again",
        {{"step", step}, {"error", error.what()}}
    );
}

void Maintenance::worked(std::string_view step) {
    const auto trouble = trouble_.find(step);
    if (trouble != trouble_.end() && trouble->second.clear())
        log(Component::maintenance, LogLevel::info, "maintenance works again", {{"step", step}});
}

// A step that is refused, or that a deadlock ended, is tried again with the next pass; the others have their turn.
asio::awaitable<void> Maintenance::try_step(std::string_view name, asio::awaitable<void> step) {
    try {
        co_await std::move(step);
        worked(name);
    } catch (const db::Error& error) {
        if (error.kind() != db::ErrorKind::server || error.is_connection_lost()) throw;
        failed(name, error);
    }
}

// Answers when to look again.
asio::awaitable<std::chrono::milliseconds> Maintenance::look() {
    queue::Look look;
    {
        db::Session session = co_await pool_.checkout();
        const auto sent = Clock::now();
        place_ = foothold_.place(sent);
        look = co_await queue::look(session, {worker_(), lead_for, late_after_, place_.due, place_.change});
        if (look.leads) foothold_.looked(place_, Clock::now() - sent, sent);
    }
    // Everybody watches, so that a new leader need not begin anew.
    const std::vector<queue::SeenBeat> silent = watchman_.observe(look.beats, Clock::now());
    if (look.leads != leader_) change_lead(look.leads);
    if (!look.leads) co_return jittered(watch_period_);
    const bool found = co_await lead(look, silent);
    pause_ = std::min({found ? shortest_pause : 2 * pause_, longest_pause, watch_period_});
    const auto pause = jittered(pause_);
    if (found || !look.next_run) co_return pause;
    co_return std::min(std::max(*look.next_run, soonest), pause);
}

void Maintenance::change_lead(bool leads) {
    leader_ = leads;
    foothold_ = {};
    late_after_ = {};
    late_next_ = {};
    next_measure_ = {};
    budgeted_at_ = {};
    if (leads) {
        log(Component::maintenance, LogLevel::info, "leading: this worker does the maintenance");
    } else {
        metrics_.set_queues({});
        metrics_.set_batches({});
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
    if (runs) co_await try_step("promote", promote());
    if ((look.changes || look.batches) && due(next_fold_, fold_period)) co_await try_step("fold", fold(look));
    if (!silent.empty()) co_await try_step("declare_dead", declare_dead(silent));
    if (!silent.empty() || look.rescues) co_await try_step("rescue", rescue());
    const bool nothing_new = measured_empty_ && measured_last_ == look.last;
    if (now >= next_measure_ && (!nothing_new || now >= next_measure_ + (empty_measure_period - measure_period))) {
        const auto began = Clock::now();
        co_await try_step("measure", measure());
        // While it is dear, as under a long transaction, it takes a fiftieth of the time.
        next_measure_ = now + std::max<Clock::duration>(measure_period, 50 * (Clock::now() - began));
        measured_last_ = look.last;
    }
    if (now - budgeted_at_ >= budget_period || budgeted_ != look.connections) {
        co_await try_step("check_budget", check_budget());
        budgeted_at_ = now;
    }
    if (due(next_prune_, prune_period)) co_await try_step("prune", prune());
    if (due(next_history_, history_retry)) co_await try_step("keep_history", keep_history());
    const bool prunes = next_prune_ <= now;
    co_return !step_failed_ && (runs || look.changes || look.batches || look.rescues || prunes);
}

asio::awaitable<void> Maintenance::promote() {
    db::Session session = co_await pool_.checkout();
    for (const auto end = Clock::now() + turn; Clock::now() < end;) {
        const auto answers = co_await db::pipelined(
            session, queue::fix_plans(session), queue::promote_jobs(session, place_.due, promote_rows)
        );
        const queue::Promoted& promoted = std::get<1>(answers);
        foothold_.took_due(promoted.until);
        if (promoted.rows > 0) engine_.came_back(std::ranges::min(promoted.lanes, {}, &queue::Refilled::lowest).lowest);
        if (!promoted.more) break;
    }
}

asio::awaitable<void> Maintenance::fold(const queue::Look& look) {
    db::Session session = co_await pool_.checkout();
    if (look.batches) {
        co_await queue::seal_due_batches(session, seal_batches);
        for (const auto end = Clock::now() + turn; Clock::now() < end;) {
            if (co_await queue::cancel_remaining_jobs(session, cancel_rows) == 0) break;
        }
    }
    // Past the changes of batches that others have locked, as a client does that has sealed one and not committed.
    queue::Folded folded{.last_change = std::max(std::exchange(fold_after_, 0), place_.change), .more = true};
    for (const auto end = Clock::now() + turn; folded.more && Clock::now() < end;) {
        folded = co_await queue::fold_batch_changes(session, {.after = folded.last_change});
        foothold_.took_changes(folded.last_change);
        if (folded.finished.empty()) continue;
        metrics_.count_batches_finished(std::ssize(folded.finished));
        engine_.wake();  // callbacks were enqueued
    }
    if (folded.more) fold_after_ = folded.last_change;
}

asio::awaitable<void> Maintenance::declare_dead(const std::vector<queue::SeenBeat>& silent) {
    db::Session session = co_await pool_.checkout();
    for (const queue::WorkerId dead : co_await queue::declare_dead(session, silent)) {
        log(Component::maintenance,
            LogLevel::warn,
            "worker declared dead: its jobs go back to the line",
            {{"worker_id", static_cast<std::int64_t>(dead)}});
    }
}

asio::awaitable<void> Maintenance::rescue() {
    queue::Rescued all;
    {
        db::Session session = co_await pool_.checkout();
        for (const auto end = Clock::now() + turn; Clock::now() < end;) {
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
    log(Component::maintenance,
        LogLevel::warn,
        "jobs of dead workers rescued",
        {{"jobs", all.jobs}, {"suspects", all.suspects}, {"quarantined", all.quarantined}, {"cancelled", all.cancelled}}
    );
    engine_.came_back(queue::RowId{});
}

}  // namespace worker

// What the engine makes of a round's answer: jobs in the line, cursors moved, leases lost.
#include "db/error.hpp"
#include "queue/names.hpp"
#include "worker/engine.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;
namespace json = boost::json;

namespace worker {

namespace {

constexpr std::chrono::milliseconds unknown_kind_snooze{10'000};
constexpr std::chrono::minutes unknown_kind_pause{1};  // between two warnings about one kind

// The trace context of the enqueue call, from the row's meta.
std::string traceparent_of(const std::string& meta) {
    if (meta.empty()) return {};
    boost::system::error_code error;
    const json::value value = json::parse(meta, error);
    if (error || !value.is_object()) return {};
    const json::value* trace = value.get_object().if_contains("traceparent");
    return trace != nullptr && trace->is_string() ? std::string(trace->get_string()) : std::string();
}

// What can be known of a row without the engine.
std::shared_ptr<HeldBundle> read_bundle(
    queue::Bundle bundle, const queue::ClaimRequest& request, Engine::Clock::time_point now
) {
    auto held = std::make_shared<HeldBundle>();
    held->args = ArgsText(std::move(bundle.args));
    held->traceparent = traceparent_of(bundle.meta);
    held->claim = request.claim;
    held->worker = request.worker;
    held->since = now;
    held->uncompleted = bundle.pending;
    held->bundle = std::move(bundle);
    return held;
}

}  // namespace

void Engine::accept(Round& round, Answer answer) {
    const auto now = Clock::now();
    std::vector<std::shared_ptr<HeldBundle>> claimed;
    claimed.reserve(answer.bundles.size());
    for (queue::Bundle& bundle : answer.bundles) claimed.push_back(read_bundle(std::move(bundle), round.request, now));
    const std::lock_guard lock(mutex_);
    retry_delay_ = {};
    if (trouble_.clear()) log(LogLevel::info, "claiming and writing work again");
    if (suspended_ || round.worker != worker_) return;  // those leases are gone
    drop_lost(answer.lost, round.finished);
    finish_otherwise(std::move(round.whole), answer.unfinished, now);
    // Unless another round, which was on its way, has come back short since.
    if (round.clears_hungry && full_since_ < round.sent) hungry_ = false;
    if (!round.claims) {
        move_cursors(round, claimed, false, now);
        return;
    }
    int jobs = 0;
    for (const auto& held : claimed) jobs += queue::count(held->bundle.pending);
    if (!claimed.empty()) {
        const double seen = static_cast<double>(jobs) / static_cast<double>(claimed.size());
        jobs_per_row_ = std::max(1.0, (jobs_per_row_ + seen) / 2);
    }
    alone_ = alone_ || answer.alone;
    // As many rows as it might look at, with fewer jobs than guessed, is no empty line either.
    const bool more = !claimed.empty() && claimed.front()->bundle.more;
    const bool full = jobs >= round.request.jobs || static_cast<int>(claimed.size()) >= round.request.rows || more;
    move_cursors(round, claimed, full, now);
    parts_.metrics.count_claim(jobs);
    if (!round.sweep) {
        pacing_.claimed(full ? jobs : round.request.jobs, jobs, now);
        hungry_ = hungry_ || !full;  // the claim's statement said so in the database
        if (!full) full_since_ = now;
    }
    for (std::shared_ptr<HeldBundle>& held : claimed) hold(std::move(held), now);
    if (phase_ == Phase::running) return;
    // Stopping began while the claim was on its way.
    for (queue::Unstarted& unstarted : line_.drop_unstarted()) releases_.push_back(unstarted);
}

void Engine::move_cursors(
    const Round& round, const std::vector<std::shared_ptr<HeldBundle>>& claimed, bool full, Clock::time_point now
) {
    if (!cursors_.is_costly()) {
        // What this worker itself gave back; where stepping back is dear a sweep finds it.
        for (const queue::Unstarted& back : round.released) cursors_.step_back(back.row);
        for (const queue::FinishedRow& row : round.finished) {
            if (std::ranges::any_of(row.leavers, [](const queue::Leaver& leaver) { return leaver.after.count() <= 0; }))
                cursors_.step_back(row.row);
        }
    }
    if (!round.claims) return;
    if (round.sweep) {
        cursors_.swept(*round.sweep, !full, now - round.sent - quickest_round_trip_, now);
        return;
    }
    for (const auto& held : claimed) {
        cursors_.claimed(held->bundle.queue, held->bundle.priority, held->bundle.id, now);
    }
    constexpr std::size_t few = 64;
    if (round.from_start && claimed.size() < few && round.whole.size() < few && round.finished.size() < few) {
        cursors_.looked(now - round.sent - quickest_round_trip_, now);
    }
}

void Engine::hold(std::shared_ptr<HeldBundle> held, Clock::time_point now) {
    const queue::Bundle& bundle = held->bundle;
    const queue::Mask cancelled = bundle.cancel_requested & bundle.pending;
    const queue::Mask pending = bundle.pending & ~cancelled;
    const auto leave_all =
        [&](queue::Mask jobs, queue::Leave as, const std::string& text, std::chrono::milliseconds after) {
            for (int n = 0; n < queue::max_bundle_jobs; ++n) {
                if ((jobs & queue::bit(n)) != 0)
                    outcomes_.leave(bundle.id, held->claim, {n, as, text, after}, false, now);
            }
        };
    leave_all(cancelled, queue::Leave::cancel, "cancelled before it started", {});
    const auto kind = kinds_by_id_.find(bundle.kind);
    if (kind == kinds_by_id_.end()) {
        // Whoever serves a queue claims every kind of it, so that no kind can block the line.
        leave_all(pending, queue::Leave::snooze, {}, unknown_kind_snooze);
        parts_.metrics.count_unknown_kind(queue::count(pending));
        const auto [told, first] = told_unknown_.try_emplace(bundle.kind, now);
        if (first || now - told->second > unknown_kind_pause) {
            told->second = now;
            unknown_kinds_.insert(bundle.kind);
        }
        return;
    }
    held->kind = kind->second;
    const auto queue = queues_.find(bundle.queue);
    if (queue != queues_.end()) held->queue = queue->second.name;
    held->unstarted = pending;
    if (held->unstarted != 0) line_.add(std::move(held));
}

asio::awaitable<void> Engine::warn_unknown_kinds() {
    std::set<queue::KindId> unknown;
    {
        const std::lock_guard lock(mutex_);
        unknown = std::exchange(unknown_kinds_, {});
    }
    if (unknown.empty()) co_return;
    try {
        db::Session session = co_await parts_.pool.checkout();
        const std::vector<queue::KindName> names = co_await queue::read_kinds(session);
        for (const queue::KindName& name : names) {
            if (unknown.contains(name.id))
                log(LogLevel::warn, "no handler for this kind: its jobs are snoozed", {{"kind", name.name}});
        }
    } catch (const db::Error&) {
        // The next claim of such a kind warns; the claims themselves tell of the database.
    }
}

}  // namespace worker

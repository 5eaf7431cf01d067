// What the engine makes of a round's answer: jobs in the line, cursors moved, leases lost.
#include "db/error.hpp"
#include "queue/names.hpp"
#include "worker/engine.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;
namespace json = boost::json;
using namespace std::chrono_literals;

namespace worker {

namespace {

constexpr std::chrono::milliseconds unknown_kind_snooze{10'000};
constexpr std::chrono::milliseconds brief_snooze{1'000};  // where this worker would be the one to claim it again

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
    if (trouble_.clear()) log(Component::engine, LogLevel::info, "claiming and writing work again");
    if (suspended_ || round.worker != worker_) return;  // those leases are gone
    drop_lost(answer.lost, round.finished);
    stop_lost(answer.lost_jobs, round.progress);
    finish_otherwise(std::move(round.whole), answer.unfinished, now);
    // Unless another round, which was on its way, has come back short since.
    if (round.clears_hungry && full_since_ < round.sent) hungry_ = false;
    if (round.looks_for_suspects) suspect_turn_.looked(answer.suspect_waits, now);
    if (round.wants_suspect) suspect_turn_.claimed(answer.alone, now);
    alone_ = alone_ || answer.alone;
    if (round.claims) {
        take_claim(round, claimed, now);
    } else {
        move_cursors(round, claimed, false, now);
    }
    for (std::shared_ptr<HeldBundle>& held : claimed) hold(std::move(held), now);
    if (answer.alone && line_.unstarted() == 0) suspect_turn_.end(now);  // cancelled, or without a handler here
    // Stopping began while the claim was on its way, or room is made for a suspect.
    if (phase_ != Phase::running || (suspect_turn_.holds() && !alone_)) hand_back_unstarted();
}

// What a claim says of the line it came from. Under the mutex.
void Engine::take_claim(
    const Round& round, const std::vector<std::shared_ptr<HeldBundle>>& claimed, Clock::time_point now
) {
    int jobs = 0;
    for (const auto& held : claimed) jobs += queue::count(held->bundle.pending);
    if (!claimed.empty()) {
        const double seen = static_cast<double>(jobs) / static_cast<double>(claimed.size());
        jobs_per_row_ = std::max(1.0, (jobs_per_row_ + seen) / 2);
        suspect_turn_.worked(now);
    }
    // As many rows as it might look at, with fewer jobs than guessed, is no empty line either.
    const bool more = !claimed.empty() && claimed.front()->bundle.more;
    const bool full = jobs >= round.request.jobs || static_cast<int>(claimed.size()) >= round.request.rows || more;
    move_cursors(round, claimed, full, now);
    parts_.metrics.count_claim(jobs);
    if (round.sweep) return;
    pacing_.claimed(full ? jobs : round.request.jobs, jobs, now);
    hungry_ = hungry_ || !full;  // the claim's statement said so in the database
    if (!full) full_since_ = now;
}

void Engine::move_cursors(
    const Round& round, const std::vector<std::shared_ptr<HeldBundle>>& claimed, bool full, Clock::time_point now
) {
    if (!cursors_.is_costly()) {
        // What this worker itself gave back; where stepping back is dear a sweep finds it.
        for (const queue::Unstarted& back : round.released) cursors_.step_back(back.row);
        const auto is_back = [](const queue::Leaver& leaver) {
            return (leaver.as == queue::Leave::retry || leaver.as == queue::Leave::snooze) && leaver.after.count() <= 0;
        };
        for (const queue::FinishedRow& row : round.finished) {
            if (std::ranges::any_of(row.leavers, is_back)) cursors_.step_back(row.row);
        }
    }
    if (!round.claims) return;
    if (round.sweep) {
        cursors_.swept(*round.sweep, !full, now - round.sent - quickest_round_trip_, now);
        return;
    }
    // They come lane by lane, each in the order of ids.
    for (auto first = claimed.begin(); first != claimed.end();) {
        const queue::Bundle& bundle = (*first)->bundle;
        const auto end = std::find_if(first, claimed.end(), [&](const auto& held) {
            return held->bundle.queue != bundle.queue || held->bundle.priority != bundle.priority;
        });
        const auto rows = static_cast<std::size_t>(end - first);
        cursors_.claimed(bundle.queue, bundle.priority, (*std::prev(end))->bundle.id, rows, now);
        first = end;
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
    for (int n = 0; n < queue::max_bundle_jobs; ++n) {
        if ((cancelled & queue::bit(n)) == 0) continue;
        outcomes_.leave(bundle.id, held->claim, {n, queue::Leave::cancel, "cancelled before it started"}, false, now);
    }
    const auto kind = kinds_by_id_.find(bundle.kind);
    if (kind == kinds_by_id_.end()) {
        // Whoever serves a queue claims every kind of it, so that no kind can block the line.
        if (pending != 0) unknown_.push_back({{bundle.id, held->claim, pending}, {bundle.kind, bundle.queue}});
        return;
    }
    held->kind = kind->second;
    const auto queue = queues_.find(bundle.queue);
    if (queue != queues_.end()) held->queue = queue->second.name;
    held->unstarted = pending;
    if (held->unstarted != 0) line_.add(std::move(held));
}

// Gives back the jobs of kinds without a handler here: at once where another worker has it, since claims leave them to
// it for a while (KindsElsewhere::left_to_others).
asio::awaitable<void> Engine::return_unknown() {
    std::vector<Unknown> unknown;
    std::vector<queue::KindInQueue> asked;
    {
        const std::lock_guard lock(mutex_);
        unknown = std::exchange(unknown_, {});
        for (const Unknown& one : unknown) {
            if (elsewhere_.known(one.of, Clock::now()) || std::ranges::find(asked, one.of) != asked.end()) continue;
            asked.push_back(one.of);
        }
    }
    if (unknown.empty()) co_return;
    std::vector<queue::Handlers> answers;
    if (!asked.empty()) {
        try {
            db::Session session = co_await parts_.pool.checkout();
            answers = co_await queue::find_handlers(session, asked);
        } catch (const db::Error&) {
            // The next claim of such a kind asks again; the claims themselves tell of the database.
        }
    }
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    for (const queue::Handlers& of : answers) {
        if (!elsewhere_.learn(of.of, of.any_live, now)) continue;
        log_limited(
            Component::engine,
            of.any_live ? LogLevel::info : LogLevel::warn,
            of.any_live ? "no handler for this kind here: its jobs are left to others"
                        : "no handler for this kind: its jobs are snoozed",
            {{"kind", of.kind}},
            of.kind
        );
    }
    const std::vector<queue::KindId> left = elsewhere_.left_to_others(now);
    for (Unknown& one : unknown) {
        const bool elsewhere = elsewhere_.known(one.of, now).value_or(false);
        const bool is_left = !cursors_.is_costly() && std::ranges::find(left, one.of.kind) != left.end();
        one.jobs.after = is_left ? 0ms : elsewhere ? brief_snooze : unknown_kind_snooze;
        parts_.metrics.count_unknown_kind(queue::count(one.jobs.jobs));
        if (!suspended_) releases_.push_back(one.jobs);
    }
}

}  // namespace worker

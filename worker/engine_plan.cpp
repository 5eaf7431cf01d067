// What the engine's next round takes along, and when it is due.
#include "worker/engine.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace worker {

namespace {
constexpr std::chrono::milliseconds prefetch_age{100};
constexpr std::chrono::seconds suspect_interval{1};
constexpr std::chrono::seconds rare_suspects{30};
constexpr std::chrono::seconds full_enough{1};  // claims full for so long: no need to be notified
constexpr double largest_claim_rows = 1'000;    // a claim may not keep the server long
}  // namespace

// When the next round trip is due, under the mutex.
std::optional<Engine::Clock::time_point> Engine::next_round(Clock::time_point now) {
    if (suspended_) return std::nullopt;
    const Load load = this->load();
    std::optional<Clock::time_point> due = pacing_.due(load, now);
    if (rounds_ > 0) return due;  // what else there is goes with the next round
    const auto by = [&due](std::optional<Clock::time_point> time) {
        if (time) due = due ? std::min(*due, *time) : *time;
    };
    if (!releases_.empty() && can_release()) by(now);
    by(progress_.due());
    by(abandoned_.due());
    const bool all_busy = load.running >= parts_.config.worker.concurrency;
    if (const auto oldest = all_busy ? line_.oldest() : line_.oldest_held_back()) by(*oldest + prefetch_age);
    if (load.claiming && load.running > 0) by(suspect_turn_.next_look());
    by(suspect_turn_.limit());
    if (suspect_turn_.holds() && has_room_for_suspect(load)) by(now);
    if (due) due = std::max(*due, quiet_until_);
    return due;
}

// Jobs were claimed for slots that turned out to be busy, or that a limit closes: others may have them. Under the
// mutex.
void Engine::hand_back_aged(Clock::time_point now) {
    const bool all_busy = line_.running() >= parts_.config.worker.concurrency;
    const auto aged = now - prefetch_age;
    for (queue::Unstarted& back : all_busy ? line_.drop_unstarted(aged) : line_.drop_held_back(aged))
        releases_.push_back(back);
}

// Under the mutex.
void Engine::hand_back_unstarted() {
    for (queue::Unstarted& unstarted : line_.drop_unstarted()) releases_.push_back(unstarted);
}

// Under the mutex.
bool Engine::has_room_for_suspect(const Load& load) const {
    return phase_ == Phase::running && load.running + load.unstarted == 0 && load.rounds == 0 && !sweeping_;
}

// Under the mutex.
bool Engine::wants_suspect(const Round& round, const Load& load, Clock::time_point now) const {
    if (!has_room_for_suspect(load)) return false;
    if (suspect_turn_.holds()) return true;
    return round.claims && now >= (pacing_.is_woken() ? next_suspect_ : next_idle_suspect_);
}

// Interrupted jobs go back as the tails of their rows: not while others of their row may still run.
bool Engine::can_release() const {
    return phase_ < Phase::interrupt || phase_ >= Phase::closing || line_.running() == 0;
}

Engine::Round Engine::plan(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    Round round;
    round.worker = worker_;
    if (suspect_turn_.limit() && *suspect_turn_.limit() <= now) suspect_turn_.end(now);
    const Load load = this->load();
    const bool in_haste = phase_ != Phase::running || !pacing_.may_linger(load);
    round.finished = outcomes_.take(in_haste ? now : now - parts_.config.worker.linger);
    const auto whole = std::ranges::partition(round.finished, [](const queue::FinishedRow& row) {
        return !row.whole || row.reported != 0 || !row.leavers.empty();
    });
    std::ranges::move(whole, std::back_inserter(round.whole));
    round.finished.erase(whole.begin(), whole.end());
    if (can_release()) round.released = std::exchange(releases_, {});
    const int wanted = round.released.empty() ? std::min(pacing_.asks(load, now), largest_claim()) : 0;
    round.claims = wanted > 0;
    ++rounds_;
    pacing_.sent(now);
    if (progress_.due() && *progress_.due() <= now) round.progress = progress_.take(now);
    if (suspect_turn_.next_look() && *suspect_turn_.next_look() <= now && load.running > 0 && load.claiming)
        round.looks_for_suspects = true;
    if (wants_suspect(round, load, now)) {
        round.wants_suspect = true;
        asking_suspect_ = true;
        next_suspect_ = now + suspect_interval;
        next_idle_suspect_ = now + std::clamp<Clock::duration>(4 * pacing_.backoff(), suspect_interval, rare_suspects);
    }
    round.sent = now;
    round.clears_hungry = hungry_ && !pacing_.is_hungry() && now - full_since_ > full_enough;
    if (!round.claims) {
        if (round.wants_suspect || round.looks_for_suspects) request(round, 0, now);
        return round;
    }
    pacing_.asked();
    asked_ += wanted;
    round.may_overlap = !pacing_.is_hungry() && !round.wants_suspect;
    // A worker with little to do looks from the start, as long as that is cheap: what came back is found at once.
    round.from_start = pacing_.is_hungry() && !cursors_.is_costly();
    round.request.mark_hungry = true;
    request(round, wanted, now);
    return round;
}

// Whether to look behind the cursors at all. Under the mutex.
bool Engine::may_sweep(Clock::time_point now) const {
    // A worker with little to do looks from the start, as long as that is cheap.
    const bool from_start = pacing_.is_hungry() && !cursors_.is_costly();
    return !suspended_ && !sweeping_ && !asking_suspect_ && !from_start && pacing_.wanted(load(), now) > 0;
}

// When the next sweep is due although nothing else happens until then. Under the mutex.
std::optional<Engine::Clock::time_point> Engine::next_sweep(Clock::time_point now) const {
    const std::optional<Clock::time_point> due = may_sweep(now) ? cursors_.due(now) : std::nullopt;
    return due ? std::optional(std::max(*due, quiet_until_)) : std::nullopt;
}

// On a session of its own: no claim waits for it. Under the mutex.
std::optional<Engine::Round> Engine::plan_sweep(Clock::time_point now) {
    if (now < quiet_until_ || !may_sweep(now)) return std::nullopt;
    const std::optional<Cursors::Window> window = cursors_.sweep(now);
    if (!window) return std::nullopt;
    const int wanted = std::min(pacing_.wanted(load(), now), largest_claim());
    Round round;
    round.worker = worker_;
    round.claims = true;
    round.sent = now;
    round.sweep = window;
    sweeping_ = true;
    asked_ += wanted;
    request(round, wanted, now);
    return round;
}

void Engine::request(Round& round, int wanted, Clock::time_point now) {
    alone_ = false;  // nothing is claimed while a suspect is here
    round.request.worker = worker_;
    round.request.claim = queue::ClaimNumber{++last_claim_};
    round.request.jobs = wanted;
    round.request.rows = std::max(1, static_cast<int>(std::ceil(wanted / jobs_per_row_)));
    round.request.own_row = own_row_;
    round.request.lanes = lanes(round, now);
    round.request.skipped = full_kinds(round.request.lanes);
    // Unless claims wade through much already: then they are claimed, and put off.
    if (!cursors_.is_costly())
        std::ranges::copy(elsewhere_.left_to_others(now), std::back_inserter(round.request.skipped));
}

// Kinds whose limit is reached here: their jobs stay in the line, for others. Under the mutex.
std::vector<queue::KindId> Engine::full_kinds(const std::vector<queue::LaneCursor>& lanes) {
    std::vector<queue::KindId> full;
    for (const auto& [id, kind] : limited_kinds_) {
        if (!kind->is_full()) continue;
        full.push_back(id);
        for (const queue::LaneCursor& lane : lanes)
            kind->skipped_after = std::min(kind->skipped_after.value_or(lane.after), lane.after);
    }
    return full;
}

// A job of the kind has ended: what claims passed over is wanted again. Under the mutex.
void Engine::make_room(RunnableKind& kind) {
    if (!kind.skipped_after || kind.is_full()) return;
    if (!cursors_.is_costly()) cursors_.step_back(queue::RowId{static_cast<std::int64_t>(*kind.skipped_after) + 1});
    kind.skipped_after.reset();
    cursors_.woken();
    pacing_.wake();
}

std::vector<queue::LaneCursor> Engine::lanes(const Round& round, Clock::time_point now) {
    std::vector<queue::QueueId> queues;
    for (const auto& [id, queue] : queues_) {
        if (!queue.paused && line_.has_room(id)) queues.push_back(id);
    }
    std::vector<queue::LaneCursor> lanes;
    lanes.reserve(queues.size() * 10);
    if (queues.empty()) return lanes;
    first_queue_ = (first_queue_ + 1) % queues.size();
    std::ranges::rotate(queues, queues.begin() + static_cast<std::ptrdiff_t>(first_queue_));
    for (std::int16_t priority = 0; priority <= 9; ++priority) {
        for (const queue::QueueId queue : queues) {
            queue::LaneCursor& lane = lanes.emplace_back(queue, priority);
            if (round.sweep) {
                lane.after = round.sweep->after;
                lane.until = round.sweep->until;
            } else if (!round.from_start) {
                lane.after = cursors_.after(queue, priority, now);
            }
        }
    }
    return lanes;
}

int Engine::largest_claim() const {
    return static_cast<int>(largest_claim_rows * jobs_per_row_);
}

}  // namespace worker

// The engine's claimer: one round trip at a time takes finished jobs out and new ones in.
#include "db/pipeline.hpp"
#include "queue/names.hpp"
#include "queue/plans.hpp"
#include "queue/release.hpp"
#include "worker/args.hpp"
#include "worker/engine.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

namespace asio = boost::asio;
namespace json = boost::json;

namespace worker {

namespace {

constexpr std::chrono::milliseconds unknown_kind_snooze{10'000};
constexpr std::chrono::minutes unknown_kind_pause{1};  // between two warnings about one kind
constexpr std::chrono::milliseconds prefetch_age{100};
constexpr std::chrono::seconds suspect_interval{1};
constexpr double largest_claim_rows = 1'000;    // a claim may not keep the server long
constexpr std::chrono::seconds full_enough{1};  // claims full for so long: no need to be notified
constexpr std::chrono::milliseconds first_retry{50};
constexpr std::chrono::milliseconds longest_retry{5'000};

// The parts of a round that have nothing to do run no statement.
asio::awaitable<std::vector<queue::RowId>> finish(
    db::Session& session,
    queue::WorkerId worker,
    const std::vector<queue::FinishedRow>& rows,
    queue::FinishOptions options
) {
    if (rows.empty()) co_return std::vector<queue::RowId>{};
    co_return co_await queue::finish_jobs(session, worker, rows, options);
}

asio::awaitable<std::vector<queue::RowId>> finish_whole(
    db::Session& session,
    queue::WorkerId worker,
    const std::vector<queue::FinishedRow>& rows,
    queue::FinishOptions options
) {
    if (rows.empty()) co_return std::vector<queue::RowId>{};
    co_return co_await queue::finish_whole_rows(session, worker, rows, options);
}

asio::awaitable<std::vector<queue::Unstarted>> release(
    db::Session& session, queue::WorkerId worker, const std::vector<queue::Unstarted>& jobs
) {
    if (jobs.empty()) co_return std::vector<queue::Unstarted>{};
    co_return co_await queue::release_jobs(session, worker, jobs);
}

asio::awaitable<std::vector<queue::Bundle>> claim(
    db::Session& session, const queue::ClaimRequest& request, bool wanted
) {
    if (!wanted) co_return std::vector<queue::Bundle>{};
    co_return co_await queue::claim_bundles(session, request);
}

asio::awaitable<void> report(
    db::Session& session, queue::WorkerId worker, const std::vector<queue::TaskProgress>& progress
) {
    if (!progress.empty()) co_await queue::record_task_progress(session, worker, progress);
}

asio::awaitable<void> clear_hungry(db::Session& session, queue::WorkerId worker, bool wanted) {
    if (wanted) co_await queue::set_hungry(session, worker, false);
}

// The trace context of the enqueue call, from the row's meta.
std::string traceparent_of(const std::string& meta) {
    if (meta.empty()) return {};
    boost::system::error_code error;
    const json::value value = json::parse(meta, error);
    if (error || !value.is_object()) return {};
    const json::value* trace = value.get_object().if_contains("traceparent");
    return trace != nullptr && trace->is_string() ? std::string(trace->get_string()) : std::string();
}

}  // namespace

asio::awaitable<void> Engine::run(queue::WorkerId worker) {
    adopt(worker);
    for (;;) {
        start_slots();
        const auto now = Clock::now();
        std::optional<Clock::time_point> due;
        {
            const std::lock_guard lock(mutex_);
            if (is_done()) break;
            hand_back_aged(now);
            due = next_round(now);
        }
        if (std::optional<Round> sweep = plan_sweep(now)) {
            asio::co_spawn(parts_.executor, settle_beside(std::move(*sweep)), asio::detached);
        }
        if (!due || *due > now) {
            co_await wakeup_.wait_until(due);
            continue;
        }
        Round round = plan(now);
        if (round.may_overlap) {
            asio::co_spawn(parts_.executor, settle_beside(std::move(round)), asio::detached);
        } else {
            co_await settle(std::move(round));
        }
    }
}

asio::awaitable<void> Engine::settle_beside(Round round) {
    co_await settle(std::move(round));
    wakeup_.notify();
}

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
    if (load.running >= parts_.config.worker.concurrency && line_.oldest()) by(*line_.oldest() + prefetch_age);
    if (due) due = std::max(*due, quiet_until_);
    return due;
}

// Jobs were claimed for slots that turned out to be busy: others may have them. Under the mutex.
void Engine::hand_back_aged(Clock::time_point now) {
    if (line_.running() < parts_.config.worker.concurrency) return;
    for (queue::Unstarted& aged : line_.drop_unstarted(now - prefetch_age)) releases_.push_back(aged);
}

// Interrupted jobs go back as the tails of their rows: not while others of their row may still run.
bool Engine::can_release() const {
    return phase_ < Phase::interrupt || phase_ >= Phase::closing || line_.running() == 0;
}

Engine::Round Engine::plan(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    Round round;
    round.worker = worker_;
    const Load load = this->load();
    round.finished = outcomes_.take();
    const auto whole = std::ranges::partition(round.finished, [](const queue::FinishedRow& row) {
        return !row.whole || row.reported != 0 || !row.leavers.empty();
    });
    std::ranges::move(whole, std::back_inserter(round.whole));
    round.finished.erase(whole.begin(), whole.end());
    if (can_release()) round.released = std::exchange(releases_, {});
    const int wanted = round.released.empty() ? std::min(pacing_.wanted(load, now), largest_claim()) : 0;
    round.claims = wanted > 0;
    ++rounds_;
    if (progress_.due() && *progress_.due() <= now) round.progress = progress_.take(now);
    if (round.claims && load.running == 0 && load.unstarted == 0 && load.rounds == 0 && now >= next_suspect_) {
        round.wants_suspect = true;
        next_suspect_ = now + suspect_interval;
    }
    if (!round.claims) {
        round.clears_hungry = hungry_ && load.rounds == 0 && !pacing_.is_hungry() && now - full_since_ > full_enough;
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

// Looks behind the cursors, on a session of its own: no claim waits for it.
std::optional<Engine::Round> Engine::plan_sweep(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    if (sweeping_ || now < quiet_until_ || (pacing_.is_hungry() && !cursors_.is_costly())) return std::nullopt;
    const std::optional<Cursors::Window> window = cursors_.sweep(now);
    if (!window) return std::nullopt;
    const int wanted = std::min(pacing_.wanted(load(), now), largest_claim());
    if (wanted <= 0) return std::nullopt;
    Round round;
    round.worker = worker_;
    round.claims = true;
    round.sweep = window;
    sweeping_ = true;
    asked_ += wanted;
    request(round, wanted, now);
    return round;
}

void Engine::request(Round& round, int wanted, Clock::time_point now) {
    round.sent = now;
    round.request.worker = worker_;
    round.request.claim = queue::ClaimNumber{++last_claim_};
    round.request.jobs = wanted;
    round.request.rows = std::max(1, static_cast<int>(std::ceil(wanted / jobs_per_row_)));
    round.request.own_row = own_row_;
    round.request.lanes = lanes(round, now);
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

asio::awaitable<Engine::Answer> Engine::exchange(Round& round) {
    Answer answer;
    db::Session session = co_await parts_.pool.checkout();
    auto answers = co_await db::pipelined(
        session,
        queue::fix_plans(session),
        finish_whole(session, round.worker, round.whole, keep_),
        finish(session, round.worker, round.finished, keep_),
        release(session, round.worker, round.released),
        report(session, round.worker, round.progress),
        claim(session, round.request, round.claims),
        clear_hungry(session, round.worker, round.clears_hungry)
    );
    answer.unfinished = std::move(std::get<1>(answers));
    answer.lost = std::move(std::get<2>(answers));
    answer.bundles = std::move(std::get<5>(answers));
    if (round.wants_suspect && answer.bundles.empty()) {
        queue::ClaimRequest request = round.request;
        auto alone = co_await db::pipelined(
            session, queue::fix_plans(session), queue::claim_suspect(session, std::move(request))
        );
        if (std::optional<queue::Bundle>& suspect = std::get<1>(alone)) {
            answer.bundles.push_back(std::move(*suspect));
            answer.alone = true;
        }
    }
    co_return answer;
}

asio::awaitable<void> Engine::settle(Round round) {
    const int asked = round.request.jobs;
    const bool claims = round.claims;
    const bool sweeps = round.sweep.has_value();
    std::optional<db::Error> failure;
    try {
        co_await release_abandoned();
        Answer answer = co_await exchange(round);
        accept(round, std::move(answer));
    } catch (const db::Error& error) {
        failure = error;
    }
    if (failure && failure->is_data_error()) {
        std::ranges::move(round.whole, std::back_inserter(round.finished));
        round.whole.clear();
    }
    if (failure && failure->is_data_error() && !round.finished.empty()) {
        try {
            co_await write_by_halves(round.worker, std::exchange(round.finished, {}));
            failure.reset();
            const std::lock_guard lock(mutex_);
            for (queue::Unstarted& back : round.released) releases_.push_back(back);
        } catch (const db::Error& error) {
            failure = error;
        }
    }
    if (failure) failed(std::move(round), *failure);
    co_await warn_unknown_kinds();
    const std::lock_guard lock(mutex_);
    if (sweeps) {
        sweeping_ = false;
    } else {
        --rounds_;
    }
    if (claims) asked_ -= asked;
}

asio::awaitable<void> Engine::release_abandoned() {
    std::vector<queue::ClaimNumber> claims;
    queue::WorkerId worker{};
    const auto now = Clock::now();
    {
        const std::lock_guard lock(mutex_);
        worker = worker_;
        if (const auto due = abandoned_.due(); due && *due <= now) claims = abandoned_.claims();
    }
    if (claims.empty()) co_return;
    db::Session session = co_await parts_.pool.checkout();
    co_await db::pipelined(session, queue::fix_plans(session), queue::release_claims(session, worker, claims));
    const std::lock_guard lock(mutex_);
    abandoned_.released(now);
}

void Engine::accept(Round& round, Answer answer) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    retry_delay_ = {};
    if (trouble_.clear()) log(LogLevel::info, "claiming and writing work again");
    if (suspended_ || round.worker != worker_) return;  // those leases are gone
    drop_lost(answer.lost, round.finished);
    finish_otherwise(std::move(round.whole), answer.unfinished, now);
    if (round.clears_hungry) hungry_ = false;
    move_cursors(round, answer, now);
    if (!round.claims) return;
    int jobs = 0;
    for (const queue::Bundle& bundle : answer.bundles) jobs += queue::count(bundle.pending);
    if (!answer.bundles.empty()) {
        const double seen = static_cast<double>(jobs) / static_cast<double>(answer.bundles.size());
        jobs_per_row_ = std::max(1.0, (jobs_per_row_ + seen) / 2);
    }
    alone_ = answer.alone;
    // As many rows as it might look at, with fewer jobs than guessed, is no empty line either.
    const bool full = jobs >= round.request.jobs || static_cast<int>(answer.bundles.size()) >= round.request.rows;
    parts_.metrics.count_claim(jobs);
    if (!round.sweep) {
        pacing_.claimed(full ? jobs : round.request.jobs, jobs, now);
        hungry_ = hungry_ || jobs < round.request.jobs;  // the claim's statement said so in the database
        if (!full) full_since_ = now;
    }
    for (queue::Bundle& bundle : answer.bundles) hold(std::move(bundle), round.request.claim, now);
    if (phase_ == Phase::running) return;
    // Stopping began while the claim was on its way.
    for (queue::Unstarted& unstarted : line_.drop_unstarted()) releases_.push_back(unstarted);
}

void Engine::move_cursors(const Round& round, const Answer& answer, Clock::time_point now) {
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
        const bool emptied = static_cast<int>(answer.bundles.size()) < round.request.rows;
        cursors_.swept(*round.sweep, emptied, now - round.sent, now);
        return;
    }
    for (const queue::Bundle& bundle : answer.bundles) {
        cursors_.claimed(bundle.queue, bundle.priority, bundle.id, now);
    }
    constexpr std::size_t few = 64;
    if (round.from_start && answer.bundles.size() < few && round.whole.size() < few && round.finished.size() < few) {
        cursors_.looked(now - round.sent, now);
    }
}

void Engine::hold(queue::Bundle bundle, queue::ClaimNumber claim, Clock::time_point now) {
    auto held = std::make_shared<HeldBundle>();
    const queue::Mask cancelled = bundle.cancel_requested & bundle.pending;
    const queue::Mask pending = bundle.pending & ~cancelled;
    const auto leave_all =
        [&](queue::Mask jobs, queue::Leave as, const std::string& text, std::chrono::milliseconds after) {
            for (int n = 0; n < queue::max_bundle_jobs; ++n) {
                if ((jobs & queue::bit(n)) != 0) outcomes_.leave(bundle.id, claim, {n, as, text, after}, false, now);
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
    queue::Mask broken = 0;
    held->args = read_args(bundle, broken);
    leave_all(broken, queue::Leave::discard, "the args cannot be read: nested too deep, or not Unicode", {});
    held->kind = kind->second;
    held->claim = claim;
    held->queue = queues_.contains(bundle.queue) ? queues_[bundle.queue].name : std::string();
    held->unstarted = pending & ~broken;
    held->uncompleted = bundle.pending;
    held->worker = worker_;
    held->since = now;
    held->traceparent = traceparent_of(bundle.meta);
    held->bundle = std::move(bundle);
    held->bundle.args.clear();
    if (held->unstarted != 0) line_.add(std::move(held));
}

void Engine::failed(Round round, const db::Error& error) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    if (round.worker == worker_ && !suspended_) {
        // Whether it was written is unknown when the connection broke: the repeat changes nothing twice.
        outcomes_.put_back(std::move(round.whole), now);
        outcomes_.put_back(std::move(round.finished), now);
        for (queue::Unstarted& back : round.released) releases_.push_back(back);
        for (queue::TaskProgress& progress : round.progress) progress_.put_back(std::move(progress));
        if (round.claims && error.is_connection_lost()) abandoned_.add(round.request.claim, now);
    }
    retry_delay_ = std::clamp(retry_delay_ * 2, first_retry, longest_retry);
    const double jitter = std::uniform_real_distribution<double>(0.75, 1.25)(random_);
    quiet_until_ = now + std::chrono::duration_cast<Clock::duration>(retry_delay_ * jitter);
    log_once(
        trouble_, LogLevel::warn, "claiming and writing failed, it will be tried again", {{"error", error.what()}}
    );
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

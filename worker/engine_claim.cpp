// The engine's claimer: a round trip takes finished jobs out and new ones in.
#include "db/pipeline.hpp"
#include "queue/plans.hpp"
#include "queue/release.hpp"
#include "worker/database_log.hpp"
#include "worker/engine.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace asio = boost::asio;

namespace worker {

namespace {

constexpr std::chrono::milliseconds first_retry{50};
constexpr std::chrono::milliseconds longest_retry{1'000};  // work goes on within 3 s of the server's return

// The parts of a round that have nothing to do run no statement.
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

asio::awaitable<bool> look_for_suspects(
    db::Session& session, const std::vector<queue::LaneCursor>& lanes, bool wanted
) {
    if (!wanted) co_return false;
    co_return co_await queue::is_suspect_waiting(session, lanes);
}

asio::awaitable<std::vector<queue::JobId>> report(
    db::Session& session, queue::WorkerId worker, const std::vector<queue::TaskProgress>& progress
) {
    if (progress.empty()) co_return std::vector<queue::JobId>{};
    co_return co_await queue::record_task_progress(session, worker, progress);
}

asio::awaitable<void> clear_hungry(db::Session& session, queue::WorkerId worker, bool wanted) {
    if (wanted) co_await queue::set_hungry(session, worker, false);
}

}  // namespace

asio::awaitable<void> Engine::run(queue::WorkerId worker) {
    adopt(worker);
    for (;;) {
        start_slots();
        const auto now = Clock::now();
        std::optional<Clock::time_point> due;
        std::optional<Clock::time_point> sweep_due;
        std::optional<Round> sweep;
        {
            const std::lock_guard lock(mutex_);
            if (is_done()) break;
            hand_back_aged(now);
            due = next_round(now);
            sweep = plan_sweep(now);
            sweep_due = next_sweep(now);
        }
        if (sweep) asio::co_spawn(parts_.executor, settle_beside(std::move(*sweep)), asio::detached);
        if (!due || *due > now) {
            co_await wakeup_.wait_until(due && sweep_due ? std::min(due, sweep_due) : (due ? due : sweep_due));
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

asio::awaitable<Engine::Answer> Engine::exchange(Round& round) {
    Answer answer;
    db::Session session = co_await parts_.pool.checkout();
    auto answers = co_await db::pipelined(
        session,
        queue::fix_plans(session),
        queue::finish_whole_rows(session, round.worker, round.whole, keep_),
        queue::finish_jobs(session, round.worker, round.finished, keep_),
        release(session, round.worker, round.released),
        report(session, round.worker, round.progress),
        look_for_suspects(session, round.request.lanes, round.looks_for_suspects),
        clear_hungry(session, round.worker, round.clears_hungry),  // before the claim, which may set it again
        claim(session, round.request, round.claims)
    );
    answer.unfinished = std::move(std::get<1>(answers));
    answer.lost = std::move(std::get<2>(answers));
    answer.lost_jobs = std::move(std::get<4>(answers));
    answer.suspect_waits = std::get<5>(answers);
    answer.bundles = std::move(std::get<7>(answers));
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
    const bool suspects = round.wants_suspect;
    std::optional<db::Error> failure;
    try {
        co_await release_abandoned();
        Answer answer = co_await exchange(round);
        accept(round, std::move(answer));
    } catch (const db::Error& error) {
        failure = error;
    }
    if (failure && failure->is_data_error() && !(round.finished.empty() && round.whole.empty())) {
        std::ranges::move(std::exchange(round.whole, {}), std::back_inserter(round.finished));
        try {
            co_await write_by_halves(round.worker, std::exchange(round.finished, {}));
            failure.reset();
            const std::lock_guard lock(mutex_);
            for (queue::Unstarted& back : round.released) releases_.push_back(back);
            for (queue::TaskProgress& progress : round.progress) progress_.put_back(std::move(progress));
            if (claims) pacing_.wake();  // what it was woken for was not claimed
        } catch (const db::Error& error) {
            failure = error;
        }
    }
    if (failure) failed(std::move(round), *failure);
    co_await return_unknown();
    const std::lock_guard lock(mutex_);
    if (sweeps) {
        sweeping_ = false;
    } else {
        --rounds_;
        asking_suspect_ = asking_suspect_ && !suspects;
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

void Engine::failed(Round round, const db::Error& error) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    if (round.worker == worker_ && !suspended_) {
        // Whether it was written is unknown when the connection broke: the repeat changes nothing twice.
        outcomes_.put_back(std::move(round.whole), now);
        outcomes_.put_back(std::move(round.finished), now);
        for (queue::Unstarted& back : round.released) releases_.push_back(back);
        for (queue::TaskProgress& progress : round.progress) progress_.put_back(std::move(progress));
        if ((round.claims || round.wants_suspect) && error.is_connection_lost())
            abandoned_.add(round.request.claim, now);
    }
    if (round.claims) pacing_.wake();  // what it was woken for was not claimed
    retry_delay_ = std::clamp(retry_delay_ * 2, first_retry, longest_retry);
    const double jitter = std::uniform_real_distribution<double>(0.75, 1.25)(random_);
    quiet_until_ = now + std::chrono::duration_cast<Clock::duration>(retry_delay_ * jitter);
    log_once(
        trouble_,
        Component::engine,
        LogLevel::warn,
        "claiming and writing failed, it will be tried again",
        {{"error", error_text(error)}}
    );
}

}  // namespace worker

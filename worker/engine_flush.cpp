// Writing outcomes when the round that carried them was refused: what is at fault is found and replaced, the rest is
// written, and nothing is forgotten.
#include "db/pipeline.hpp"
#include "queue/plans.hpp"
#include "worker/database_log.hpp"
#include "worker/engine.hpp"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>

namespace asio = boost::asio;

namespace worker {

namespace {

constexpr std::string_view unwritable_text = "the outcome could not be written; the worker's log says why";

using Rows = std::vector<queue::FinishedRow>;

// Half of the rows, or of one row's outcomes.
std::pair<Rows, Rows> halves(Rows rows) {
    Rows second;
    if (rows.size() > 1) {
        const auto middle = rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2);
        second.assign(std::make_move_iterator(middle), std::make_move_iterator(rows.end()));
        rows.erase(middle, rows.end());
        return {std::move(rows), std::move(second)};
    }
    queue::FinishedRow& row = rows.front();
    queue::FinishedRow other{.row = row.row, .claim = row.claim, .reported = row.reported};
    if (row.done != 0) {
        other.leavers = std::exchange(row.leavers, {});
    } else {
        const auto middle = row.leavers.begin() + static_cast<std::ptrdiff_t>(row.leavers.size() / 2);
        other.leavers.assign(std::make_move_iterator(middle), std::make_move_iterator(row.leavers.end()));
        row.leavers.erase(middle, row.leavers.end());
    }
    second.push_back(std::move(other));
    return {std::move(rows), std::move(second)};
}

bool is_one_outcome(const Rows& rows) {
    return rows.size() == 1 && rows.front().leavers.size() + (rows.front().done != 0 ? 1 : 0) == 1;
}

// What keeps a single outcome from being written is replaced; false when nothing of it can be at fault.
bool mend(queue::FinishedRow& row) {
    if (row.leavers.empty() || row.leavers.front().payload == unwritable_text) return false;
    queue::Leaver& leaver = row.leavers.front();
    // A result that cannot be stored never can be; a text can be replaced.
    if (leaver.as == queue::Leave::complete_with_result) leaver.as = queue::Leave::discard;
    leaver.payload = unwritable_text;
    return true;
}

}  // namespace

// One statement, in a transaction of its own. Throws: db::Error, nothing written.
asio::awaitable<void> Engine::write(queue::WorkerId worker, const std::vector<queue::FinishedRow>& rows) {
    db::Session session = co_await parts_.pool.checkout();
    const auto answers =
        co_await db::pipelined(session, queue::fix_plans(session), queue::finish_jobs(session, worker, rows, keep_));
    const std::lock_guard lock(mutex_);
    drop_lost(std::get<1>(answers), rows);
}

// A flush that one bad value spoils is written in halves, without the claim, until the offender stands alone.
// Throws: the db::Error that ended the work; what was not written is back among the outcomes then.
asio::awaitable<void> Engine::write_by_halves(queue::WorkerId worker, std::vector<queue::FinishedRow> rows) {
    std::deque<Rows> parts;
    parts.push_back(std::move(rows));
    while (!parts.empty()) {
        std::optional<db::Error> failure;
        try {
            co_await write(worker, parts.front());
            parts.pop_front();
        } catch (const db::Error& error) {
            failure = error;
        }
        if (!failure) continue;
        Rows& part = parts.front();
        if (failure->is_data_error() && !is_one_outcome(part)) {
            std::pair<Rows, Rows> both = halves(std::move(part));
            parts.pop_front();
            parts.push_front(std::move(both.second));
            parts.push_front(std::move(both.first));
            continue;
        }
        if (failure->is_data_error()) {
            log(Component::engine,
                LogLevel::error,
                "an outcome could not be written",
                {{"row_id", part.front().row}, {"error", error_text(*failure)}});
            if (mend(part.front())) continue;
        }
        const std::lock_guard lock(mutex_);
        for (Rows& left : parts) outcomes_.put_back(std::move(left), Clock::now());
        throw *failure;
    }
}

// Rows that were not what they seemed: the full statement tells whether their lease was lost.
void Engine::finish_otherwise(
    std::vector<queue::FinishedRow> whole, const std::vector<queue::RowId>& unfinished, Clock::time_point now
) {
    if (unfinished.empty()) return;
    std::erase_if(whole, [&](queue::FinishedRow& row) {
        row.whole = false;
        return std::ranges::find(unfinished, row.row) == unfinished.end();
    });
    outcomes_.put_back(std::move(whole), now);
}

// Others have these rows now. Only runs of the very claims that were refused are stopped: the row may have been claimed
// here again.
void Engine::drop_lost(const std::vector<queue::RowId>& lost, const std::vector<queue::FinishedRow>& finished) {
    for (const queue::FinishedRow& row : finished) {
        if (std::ranges::find(lost, row.row) == lost.end()) continue;
        line_.drop(row.row, row.claim, queue::first_bits(queue::max_bundle_jobs));
        for (const Running& running : running_) {
            if (running.row == row.row && running.claim == row.claim) {
                running.context->request_stop(jobs::StopReason::lease_lost);
            }
        }
        parts_.metrics.count_leases_lost(1);
    }
}

// The same, learned from a report of progress: the job still runs here. One that has ended meanwhile says so itself.
// Under the mutex.
void Engine::stop_lost(const std::vector<queue::JobId>& lost, const std::vector<queue::TaskProgress>& progress) {
    for (const queue::TaskProgress& report : progress) {
        if (std::ranges::find(lost, report.job) == lost.end()) continue;
        for (const Running& running : running_) {
            if (running.job == report.job && running.claim == report.claim)
                running.context->request_stop(jobs::StopReason::lease_lost);
        }
    }
}

}  // namespace worker

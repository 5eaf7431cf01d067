#include "worker/outcomes.hpp"

#include "queue/bundle.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace worker {

namespace {
int jobs_of(const queue::FinishedRow& row) {
    return queue::count(row.done) + static_cast<int>(row.leavers.size());
}
}  // namespace

queue::FinishedRow& Outcomes::row(queue::RowId row, queue::ClaimNumber claim, Time now) {
    if (!since_) since_ = now;
    const auto is_it = [&](const Entry& entry) { return entry.row.row == row && entry.row.claim == claim; };
    if (!rows_.empty() && is_it(rows_.back())) return rows_.back().row;  // as a rule
    const auto [place, added] = places_.try_emplace(static_cast<std::int64_t>(row), rows_.size());
    if (!added && is_it(rows_[place->second])) return rows_[place->second].row;
    // A row that was claimed again while an older claim's outcome still waits: both are written, one is fenced off.
    place->second = rows_.size();
    return rows_.emplace_back(queue::FinishedRow{.row = row, .claim = claim}, now).row;
}

void Outcomes::complete(queue::RowId id, queue::ClaimNumber claim, int n, bool reported, bool whole, Time now) {
    queue::FinishedRow& finished = row(id, claim, now);
    finished.whole = whole;
    finished.done |= queue::bit(n);
    if (reported) finished.reported |= queue::bit(n);
    ++jobs_;
    if (whole) whole_jobs_ += jobs_of(finished);
}

void Outcomes::leave(queue::RowId id, queue::ClaimNumber claim, queue::Leaver leaver, bool reported, Time now) {
    queue::FinishedRow& finished = row(id, claim, now);
    if (reported) finished.reported |= queue::bit(leaver.n);
    finished.leavers.push_back(std::move(leaver));
    ++jobs_;
}

void Outcomes::put_back(std::vector<queue::FinishedRow> rows, Time now) {
    for (queue::FinishedRow& back : rows) {
        queue::FinishedRow& merged = row(back.row, back.claim, now);
        if (merged.whole) whole_jobs_ -= jobs_of(merged);
        jobs_ += jobs_of(back);
        merged.done |= back.done;
        merged.reported |= back.reported;
        merged.whole |= back.whole;
        merged.leavers.insert(
            merged.leavers.end(),
            std::make_move_iterator(back.leavers.begin()),
            std::make_move_iterator(back.leavers.end())
        );
        if (merged.whole) whole_jobs_ += jobs_of(merged);
    }
}

std::vector<queue::FinishedRow> Outcomes::take(Time before) {
    std::vector<queue::FinishedRow> taken;
    taken.reserve(rows_.size());
    std::vector<Entry> waiting;
    for (Entry& entry : rows_) {
        if (entry.row.whole || entry.since <= before) {
            taken.push_back(std::move(entry.row));
        } else {
            waiting.push_back(std::move(entry));
        }
    }
    rows_ = std::move(waiting);
    places_.clear();
    since_.reset();
    jobs_ = 0;
    whole_jobs_ = 0;
    for (std::size_t place = 0; place < rows_.size(); ++place) {
        const Entry& entry = rows_[place];
        places_[static_cast<std::int64_t>(entry.row.row)] = place;
        since_ = std::min(since_.value_or(entry.since), entry.since);
        jobs_ += jobs_of(entry.row);
    }
    return taken;
}

}  // namespace worker

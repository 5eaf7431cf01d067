#include "worker/outcomes.hpp"

#include "queue/bundle.hpp"

#include <iterator>
#include <utility>

namespace worker {

queue::FinishedRow& Outcomes::row(queue::RowId row, queue::ClaimNumber claim, Time now) {
    if (!since_) since_ = now;
    if (!rows_.empty() && rows_.back().row == row && rows_.back().claim == claim) return rows_.back();  // as a rule
    const auto [place, added] = places_.try_emplace(static_cast<std::int64_t>(row), rows_.size());
    if (!added && rows_[place->second].claim == claim) return rows_[place->second];
    // A row that was claimed again while an older claim's outcome still waits: both are written, one is fenced off.
    place->second = rows_.size();
    return rows_.emplace_back(queue::FinishedRow{.row = row, .claim = claim});
}

void Outcomes::complete(queue::RowId id, queue::ClaimNumber claim, int n, bool reported, bool whole, Time now) {
    queue::FinishedRow& finished = row(id, claim, now);
    finished.whole = whole;
    finished.done |= queue::bit(n);
    if (reported) finished.reported |= queue::bit(n);
    ++jobs_;
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
        jobs_ += queue::count(back.done) + static_cast<int>(back.leavers.size());
        merged.done |= back.done;
        merged.reported |= back.reported;
        merged.whole |= back.whole;
        merged.leavers.insert(
            merged.leavers.end(),
            std::make_move_iterator(back.leavers.begin()),
            std::make_move_iterator(back.leavers.end())
        );
    }
}

std::vector<queue::FinishedRow> Outcomes::take() {
    places_.clear();
    since_.reset();
    jobs_ = 0;
    return std::exchange(rows_, {});
}

}  // namespace worker

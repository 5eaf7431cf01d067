#pragma once

// What finished and was not yet written: collected by row, as one flush writes it. Pure.

#include "queue/finish.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace worker {

class Outcomes {
public:
    using Time = std::chrono::steady_clock::time_point;

    // `reported`: the job wrote task progress, which goes with it. `whole`: all that was claimed of the row has
    // completed.
    void complete(queue::RowId row, queue::ClaimNumber claim, int n, bool reported, bool whole, Time now);
    void leave(queue::RowId row, queue::ClaimNumber claim, queue::Leaver leaver, bool reported, Time now);
    // Rows of a flush that did not go through: they go out with the next.
    void put_back(std::vector<queue::FinishedRow> rows, Time now);
    // Rows that are whole, and those whose first outcome came in up to `before`. The others wait for company: a row
    // that is written in parts costs the server an update more for each.
    std::vector<queue::FinishedRow> take(Time before = Time::max());

    bool empty() const { return rows_.empty(); }
    int jobs() const { return jobs_; }
    int whole_jobs() const { return whole_jobs_; }        // of them, those of whole rows
    std::optional<Time> since() const { return since_; }  // when the oldest came in

private:
    struct Entry {
        queue::FinishedRow row;
        Time since;
    };
    queue::FinishedRow& row(queue::RowId row, queue::ClaimNumber claim, Time now);

    std::vector<Entry> rows_;
    std::unordered_map<std::int64_t, std::size_t> places_;  // by row id; a row's claim is the newest
    std::optional<Time> since_;
    int jobs_ = 0;
    int whole_jobs_ = 0;
};

}  // namespace worker

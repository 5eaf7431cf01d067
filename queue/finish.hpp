#pragma once

// Finishing: every outcome of a flush in one statement, so that batch counts come from what really changed.

#include "db/session.hpp"
#include "queue/bundle.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace queue {

// How a job leaves its row otherwise than by completing without a result.
enum class Leave : std::int16_t {
    retry,                 // again after `after`, attempt spent; payload: the error
    snooze,                // again after `after`, attempt refunded; payload unused
    discard,               // a dead letter; payload: the error
    cancel,                // into history; payload: the reason, or empty
    complete_with_result,  // into history; payload: the result, JSON
};

struct Leaver {
    int n = 0;  // the job's number in its bundle
    Leave as = Leave::retry;
    std::string payload{};  // UTF-8 without NUL
    std::chrono::milliseconds after{0};
    std::optional<std::chrono::milliseconds> took{};  // how long the handler ran; history keeps when it started
};

// What became of a row's jobs. Jobs in neither `done` nor `leavers` go on running.
struct FinishedRow {
    RowId row{};
    ClaimNumber claim{};
    Mask done = 0;                  // completed without a result
    std::vector<Leaver> leavers{};  // none of them in done
    Mask reported = 0;              // of all these: wrote task progress, which is deleted
    bool whole = false;             // done is all that was pending: the row may end by finish_whole_rows
};

struct FinishOptions {
    bool keep_completed = true;  // false: no history of completed jobs, nor their results
    bool keep_cancelled = true;
};

// Records the outcomes and returns the rows whose lease was lost, for which nothing was recorded. A repeat of a call
// whose commit arrived changes and counts nothing and returns its rows.
// Entries of the same row and claim are merged. A retry or snooze of a job that was asked to stop is a cancel.
// Whether a retry is the last attempt and so a discard is the caller's to decide: queue/transition.hpp.
// An empty span changes nothing and returns an empty vector.
//
// Transaction: the caller's, after fix_plans. Locks bundles in the order of their ids and waits for them.
// Throws:      db::Error; is_data_error() when a value is at fault (a result that is not JSON, no partition of today).
boost::asio::awaitable<std::vector<RowId>> finish_jobs(
    db::Session& session, WorkerId worker, std::span<const FinishedRow> finished, FinishOptions options = {}
);

// The same for rows of which every pending job is in `done`, with nothing in `leavers` and `reported`: a single delete,
// at about half the price. Returns the rows that it left as they were, because their lease was lost or because other
// jobs of theirs are pending: hand them to finish_jobs, which tells the two apart.
//
// Transaction: as finish_jobs.
// Throws:      db::Error; is_data_error() when there is no partition of today.
boost::asio::awaitable<std::vector<RowId>> finish_whole_rows(
    db::Session& session, WorkerId worker, std::span<const FinishedRow> whole, FinishOptions options = {}
);

}  // namespace queue

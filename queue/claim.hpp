#pragma once

// Claiming: how a worker takes jobs for itself. The only file that decides which job goes first.

#include "db/session.hpp"
#include "queue/bundle.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace queue {

// Where in a lane to look: rows after `after`, up to and with `until`. The defaults sweep the whole lane.
struct LaneCursor {
    QueueId queue{};
    std::int16_t priority = 4;  // 0 most urgent .. 9
    RowId after{};
    RowId until{std::numeric_limits<std::int64_t>::max()};
};

struct ClaimRequest {
    WorkerId worker{};                // stamped on the rows; half of the fence
    ClaimNumber claim{};              // the other half: a counter of the worker process, never used twice
    std::vector<LaneCursor> lanes{};  // most urgent first
    int jobs = 1;                     // at most this many, free slots and prefetch; a large claim brings up to 62 more
    int rows = 1;  // look at no more rows: ceil(jobs / jobs per row seen lately), which bounds what is locked
    std::vector<KindId> own_row{};  // kinds whose jobs must be alone in their row
    std::vector<KindId> skipped{};  // kinds of which nothing is wanted; their rows are read, not locked
    bool mark_hungry = false;       // should fewer jobs be there than asked: set the worker's hungry flag
};

// A claimed row: the jobs of `pending` are this worker's to run, in ascending order.
struct Bundle {
    RowId id{};
    KindId kind{};
    QueueId queue{};
    std::int16_t priority = 4;
    Mask members = 0;
    Mask pending = 0;
    Mask cancel_requested = 0;  // of pending: to be cancelled instead of run
    bool cut = false;           // the rest of the row went back to the line, right behind it: keep the cursor here
    int attempt = 1;            // this one, counted from 1
    int max_attempts = 20;
    int rescues = 0;  // times taken from a dead worker
    int strikes = 0;  // of a suspect: runs alone that did not report back, this one included
    std::optional<BatchId> batch{};
    db::TimePoint run_at{};  // when it became due
    std::string args{};      // JSON array; the element of job n is at element_of(id, n)
    std::string meta{};      // JSON object, or empty
    bool more = false;       // behind the claim's last row stand others, which it looked at and did not take
};

// Marks available rows of the lanes, worth at most `jobs` jobs, as running and returns them: the most urgent lane
// first, then in the order of their ids. A bundle that does not fit is cut, all of it, into pieces of `jobs` jobs; the
// first piece keeps the row and is claimed. A claim of 500 jobs or more takes its last bundle whole instead.
// It ends with the row whose args may reach 16 MiB, so that a worker's memory is bounded whatever the args are.
// Returns an empty vector when nothing is available, or when the worker has been declared dead.
// Rows that others have locked are skipped; a row that changed at this very moment is left where it was, perhaps
// behind the cursor, for a sweep.
//
// Transaction: the caller's, after fix_plans. Others see the claim after commit; commit before running a handler.
//              Locks bundles, then (mark_hungry) the worker's own row.
// Throws:      db::Error.
boost::asio::awaitable<std::vector<Bundle>> claim_bundles(db::Session& session, ClaimRequest request);

// Claims one suspect, a job that may have killed its workers, and counts a strike against it. Only for a worker that
// runs nothing else meanwhile. Cursors, jobs and rows of the request do not matter.
// Returns nothing when there is none, or when the worker has been declared dead.
//
// Transaction: as claim_bundles.
// Throws:      db::Error.
boost::asio::awaitable<std::optional<Bundle>> claim_suspect(db::Session& session, ClaimRequest request);

// Whether claim_suspect would find one. Locks nothing.
//
// Transaction: the caller's, after fix_plans.
// Throws:      db::Error.
boost::asio::awaitable<bool> is_suspect_waiting(db::Session& session, std::vector<LaneCursor> lanes);

}  // namespace queue

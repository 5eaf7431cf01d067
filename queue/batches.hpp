#pragma once

// Batches: made, sealed and cancelled by producers, folded by the leader, read by whoever watches.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace queue {

struct NewBatch {
    std::optional<BatchId> id{};  // any UUID; empty: the database makes one
    std::string name{};
    std::optional<std::string> meta{};           // JSON; the callbacks' jobs have it too
    std::optional<std::string> on_finish{};      // kinds of the jobs enqueued when the batch has finished: in any case,
    std::optional<std::string> on_success{};     // when every job completed,
    std::optional<std::string> on_failure{};     // when one was discarded or cancelled
    std::optional<std::string> callback_args{};  // JSON, handed to each of them under "args"
    std::string callback_queue = "default";
    std::optional<std::chrono::seconds> seal_after{};  // sealed by the leader then, should the client never do it
};

// Opens a batch and returns its id. A batch with this id stays as it is, so the call is safe to repeat.
//
// Transaction: the caller's.
// Throws:      db::Error whose message names the argument at fault.
boost::asio::awaitable<BatchId> create_batch(db::Session& session, NewBatch batch);

// Lets no more jobs in. Returns false when the batch was sealed, cancelled or finished before. Waits for enqueues into
// the batch that have not committed, 10 s at most (55P03).
//
// Transaction: the caller's; enqueues into the batch wait for it. Locks the batch.
// Throws:      db::Error; 22023 when there is no such batch.
boost::asio::awaitable<bool> seal_batch(db::Session& session, BatchId batch);

struct CancelledBatch {
    std::int64_t cancelled = 0;  // jobs taken out at once
    std::int64_t stopping = 0;   // running jobs asked to stop
};

// Lets no more jobs in and cancels those that are there; what is left in rows in use just then, and beyond 10,000 rows,
// follows by cancel_remaining_jobs. Nothing happens to a finished batch.
//
// Transaction: the caller's. Locks bundles in the order of their ids, without waiting, then the batch.
// Throws:      as seal_batch.
boost::asio::awaitable<CancelledBatch> cancel_batch(db::Session& session, BatchId batch);

// One step of cancelling what cancelled batches still have, from at most `rows` rows a batch, for some 50 ms. Returns
// the jobs taken out. The leader calls it again and again.
//
// Transaction: the caller's. Locks bundles in the order of their ids, without waiting.
// Throws:      db::Error.
boost::asio::awaitable<std::int64_t> cancel_remaining_jobs(db::Session& session, int rows);

// Seals open batches whose seal_after has passed, at most `limit`. Returns how many. One that is being filled right now
// is left for the next call.
//
// Transaction: the caller's. Locks batches.
// Throws:      db::Error.
boost::asio::awaitable<int> seal_due_batches(db::Session& session, int limit);

struct FoldRequest {
    std::int64_t after = 0;  // look at changes above this one
    int limit = 5'000;       // and at the first so many of them
};

struct Folded {
    std::vector<BatchId> finished{};  // by this fold; their callbacks were enqueued with it
    std::int64_t changes = 0;         // taken
    std::int64_t last_change = 0;     // the last one looked at, or `after`
    bool more = false;                // as many were looked at as the limit: call again, after that one
};

// Adds what was appended since the last fold to the batches, and finishes those that are sealed and whose counts are
// complete: their callbacks are enqueued in this transaction, once a round. A redrive after that opens the next round.
// Batches locked by others are left for the next fold, so several may fold at once.
//
// Transaction: the caller's, read committed. Locks batches in the order of their ids, without waiting.
// Throws:      db::Error.
boost::asio::awaitable<Folded> fold_batch_changes(db::Session& session, FoldRequest request = {});

struct BatchStatus {
    BatchId id{};
    std::string name{};
    std::string state{};  // open, sealed, cancelled, finished
    int round = 1;
    std::int64_t total = 0;
    std::int64_t completed = 0;
    std::int64_t discarded = 0;
    std::int64_t cancelled = 0;
    std::int64_t running = 0;
    std::int64_t waiting = 0;  // scheduled, available or to be retried
    double percent = 0;        // 0 .. 100: ended of total
    double recent_rate = 0;    // jobs a second over the last 10 s or so
    double overall_rate = 0;   // jobs a second since the batch was made, or redriven after it had finished
    std::optional<std::chrono::seconds> eta{};  // empty: finished, or nothing to go by
    db::TimePoint created_at{};
    std::optional<db::TimePoint> sealed_at{};
    std::optional<db::TimePoint> finished_at{};
    std::optional<std::string> meta{};  // JSON
};

// The batch as of this statement, folded or not: the counts equal the states of its jobs. Empty: no such batch.
// Throws: db::Error.
boost::asio::awaitable<std::optional<BatchStatus>> read_batch_status(db::Session& session, BatchId batch);

struct BatchFilter {
    std::optional<std::string> state{};
    std::optional<std::string> name{};  // exactly
    int limit = 50;
};

// The newest batches first.
// Throws: db::Error.
boost::asio::awaitable<std::vector<BatchStatus>> list_batches(db::Session& session, BatchFilter filter = {});

// The newest that have not finished, the newest first, and then those that finished last, the last first.
//
// Transaction: the caller's, after fix_plans.
// Throws:      db::Error.
boost::asio::awaitable<std::vector<BatchStatus>> list_current_batches(
    db::Session& session, int unfinished, int finished
);

struct BatchLoad {
    std::string state{};         // open, sealed, cancelled
    std::int64_t batches = 0;    // that have not finished
    std::int64_t jobs_left = 0;  // of theirs that have not ended, as of the last fold
};

// Throws: db::Error.
boost::asio::awaitable<std::vector<BatchLoad>> read_batch_loads(db::Session& session);

struct BatchCallbacks {  // kinds; see NewBatch
    std::optional<std::string> on_finish;
    std::optional<std::string> on_success;
    std::optional<std::string> on_failure;
};

// What is enqueued when the batch has finished. No such batch: none.
// Throws: db::Error.
boost::asio::awaitable<BatchCallbacks> read_batch_callbacks(db::Session& session, BatchId batch);

struct WaitingKind {
    std::string kind{};
    std::string queue{};
    bool paused = false;                    // the queue
    std::optional<db::TimePoint> due_at{};  // of the first of them, where none is available
};

// The kinds of the jobs that wait in a batch, with their queues: of its first 1,000 rows that no worker has.
// Throws: db::Error.
boost::asio::awaitable<std::vector<WaitingKind>> list_waiting_kinds(db::Session& session, BatchId batch);

struct SlowJob {
    JobId job{};
    std::string kind{};
    std::chrono::milliseconds run_time{0};
    int jobs = 1;        // more: a bundle that finished together; run_time is their mean and job the first of them
    std::string args{};  // JSON
};

// The completed jobs of a batch that took longest, slowest first. Reads the batch's days of history.
// Throws: db::Error.
boost::asio::awaitable<std::vector<SlowJob>> list_slow_jobs(db::Session& session, BatchId batch, int limit);

}  // namespace queue

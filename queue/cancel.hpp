#pragma once

// Cancelling jobs: one, or those that match. A batch: queue/batches.hpp.

#include "db/session.hpp"
#include "queue/ids.hpp"
#include "queue/read_job.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>

namespace queue {

enum class CancelAnswer {
    cancelled,  // taken out of the queue
    stopping,   // it runs: its worker was told, by NOTIFY task_queue_cancel and with its next heartbeat
    finished,   // too late: completed, cancelled or discarded before
    not_found,  // no such job, or its history is gone
};

// Stops a job wherever it is. Looks again, with a fresh snapshot, when a split, a finish or a rescue moved it
// meanwhile.
//
// Transaction: the caller's, read committed. Locks the job's row and waits for whoever has it.
// Throws:      db::Error; is_serialization_failure() in other isolation levels when the job moved.
boost::asio::awaitable<CancelAnswer> cancel_job(db::Session& session, JobId job);

struct Cancellable {
    std::int64_t waiting = 0;  // jobs
    std::int64_t running = 0;  // not asked to stop yet
    RowId newest{};            // no row of theirs has a greater id
};

// The jobs that match the filter, without its limit, and could be cancelled; `upto`: of rows up to that one.
// Throws: db::Error.
boost::asio::awaitable<Cancellable> count_cancellable_jobs(
    db::Session& session, JobFilter filter, std::optional<RowId> upto = {}
);

struct CancelStep {
    std::int64_t cancelled = 0;   // jobs taken out
    std::int64_t stopping = 0;    // running jobs asked to stop
    std::optional<RowId> last{};  // go on after this one; empty: there was no more
};

// One step of cancelling the jobs that match: of at most filter.limit rows and 16 MiB of args, after one row and up to
// another. Rows in use just then are passed.
//
// Transaction: the caller's. Locks bundles in the order of their ids, without waiting.
// Throws:      db::Error.
boost::asio::awaitable<CancelStep> cancel_jobs(db::Session& session, JobFilter filter, RowId after, RowId upto);

}  // namespace queue

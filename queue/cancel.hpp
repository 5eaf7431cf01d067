#pragma once

// Cancelling one job.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

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

}  // namespace queue

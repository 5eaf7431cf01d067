#pragma once

// Enqueuing one job, or some at once whose args are in memory. For files and streams: queue/bulk_enqueue.hpp.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace queue {

// What the jobs of one call share. Empty: the default of the SQL function.
struct EnqueueOptions {
    std::string queue = "default";
    std::optional<int> priority{};          // 0 most urgent .. 9; 4
    std::optional<db::TimePoint> run_at{};  // now; excludes delay
    std::optional<std::chrono::milliseconds> delay{};
    std::optional<int> max_attempts{};         // 20
    std::optional<std::string> enqueue_key{};  // this call happened: a repeat within a day answers the same jobs
    std::optional<BatchId> batch{};            // must be open
    std::optional<std::string> meta{};         // JSON, such as the trace context
    std::optional<int> bundle{};               // most jobs to a row, 1 to 63; by kind, else by the size of the call
};

struct NewJob {
    std::string kind{};
    std::string args = "{}";                  // JSON
    std::optional<std::string> unique_key{};  // one live job at a time
    EnqueueOptions options{};                 // `bundle` has no meaning here
};

struct Enqueued {
    JobId job{};
    bool existed = false;  // a live job with the unique_key, or an earlier call with the enqueue_key: nothing was added
};

// Enqueues one job.
//
// Transaction: the caller's; the job exists when it commits. A batch cannot be sealed until then.
// Throws:      db::Error whose message names the argument at fault (is_data_error(), 54000 too large, 55000 batch not
// open).
boost::asio::awaitable<Enqueued> enqueue_job(db::Session& session, NewJob job);

// Enqueues one job of the kind for each element of `args` (JSON) and returns their ids in that order.
// No args: no jobs, an empty vector.
//
// Transaction: as enqueue_job.
// Throws:      as enqueue_job.
boost::asio::awaitable<std::vector<JobId>> enqueue_jobs(
    db::Session& session, std::string kind, std::span<const std::string> args, EnqueueOptions options = {}
);

}  // namespace queue

#pragma once

// Task progress: units done of units total inside a running job.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace queue {

struct TaskProgress {
    JobId job{};
    RowId row{};  // with claim and the worker: the lease
    ClaimNumber claim{};
    std::int64_t done = 0;
    std::int64_t total = 0;  // 0: not known
    std::string message{};
};

// Records how far jobs are, one entry a job, and returns the jobs whose lease was lost, for which nothing was recorded;
// nor is it for a job whose row is locked. An empty span changes nothing and returns an empty vector. The flush that
// ends a job deletes its row.
//
// Transaction: the caller's, after fix_plans. Locks no bundles.
// Throws:      db::Error.
boost::asio::awaitable<std::vector<JobId>> record_task_progress(
    db::Session& session, WorkerId worker, std::span<const TaskProgress> progress
);

struct ReportedProgress {
    JobId job{};
    std::int64_t done = 0;
    std::int64_t total = 0;  // 0: not known
    std::string message{};
    db::TimePoint updated_at{};
};

// What these jobs reported, in the order of their ids. Jobs that reported nothing, or have ended, are left out.
// Throws: db::Error.
boost::asio::awaitable<std::vector<ReportedProgress>> read_task_progress(
    db::Session& session, std::span<const JobId> jobs
);

}  // namespace queue

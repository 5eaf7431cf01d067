#pragma once

// Enqueuing any number of jobs from a stream, in constant memory: bundles are built here and go through COPY.

#include "db/session.hpp"
#include "queue/enqueue.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace queue {

// Puts the args of the next job (JSON) into `args`, which is empty, and returns true, or false when no more come.
using NextArgs = std::function<bool(std::string& args)>;

struct BulkEnqueued {
    std::int64_t jobs = 0;
    std::optional<JobId> first{};  // empty: no jobs
    bool existed = false;          // an earlier call with the enqueue_key: nothing was read or added
};

// Enqueues one job of the kind for each args that `next` gives. Without options.bundle a row carries what the kind
// says, else a sixteenth of the jobs, 63 from 1,008 jobs on. Holds some 4 MiB, and 20 bytes a bundle more when there is
// an enqueue_key.
//
// Transaction: the caller's, which must be an explicit one: several statements and COPYs run in it. The jobs exist when
// it
//              commits. A batch cannot be sealed until then.
// Throws:      db::Error as enqueue_job; usage for args that are not one JSON value or too large, naming the job by its
//              place, counted from 1. What `next` throws. Roll back then.
boost::asio::awaitable<BulkEnqueued> bulk_enqueue(
    db::Session& session, std::string kind, EnqueueOptions options, NextArgs next
);

}  // namespace queue

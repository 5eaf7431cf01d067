#pragma once

// Depth: how much stands in the queues, for metrics. Counts are bounded, so that a long line costs no more than a
// short one.

#include "db/session.hpp"
#include "queue/claim.hpp"
#include "queue/ids.hpp"
#include "queue/names.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <vector>

namespace queue {

struct QueueDepth {
    QueueId queue{};
    std::int64_t available = 0;  // jobs, suspects included
    std::int64_t scheduled = 0;
    std::int64_t retryable = 0;
    std::int64_t running = 0;
    bool bounded = false;                               // there is more than what was counted
    std::optional<std::chrono::milliseconds> oldest{};  // how long the first of the line has been due; empty: no line
};

// Every lane of these queues, from its beginning.
std::vector<LaneCursor> all_lanes(std::span<const Queue> queues);

// Counts the jobs of every queue, looking at no more than `rows` rows of each lane in `lanes` (of more than ten lanes
// at no more than ten times `rows` in all), of all that is scheduled, and of all that runs. A lane is counted from its
// cursor. Queues without live jobs have zeros. The oldest is the one that has been due longest among the first rows of
// the lanes.
//
// Transaction: the caller's, after fix_plans.
// Throws:      db::Error.
boost::asio::awaitable<std::vector<QueueDepth>> read_depth(
    db::Session& session, std::span<const LaneCursor> lanes, int rows
);

}  // namespace queue

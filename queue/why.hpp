#pragma once

// What stands between a live job and its start.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace queue {

struct Obstacles {
    db::TimePoint now{};                       // by the server's clock
    std::int64_t ahead = 0;                    // jobs of its queue that are claimed before it
    bool more_ahead = false;                   // there may be more than were counted
    bool paused = false;                       // the queue is
    std::optional<int> queue_limit{};          // jobs of the queue at once in one worker
    std::optional<std::string> batch_state{};  // of its batch; open, sealed, cancelled, finished
    bool suspect = false;                      // workers died while it ran: it runs alone
    bool led = false;                          // somebody does the maintenance
};

// Looks at no more than 10,000 rows of its line. Empty: the job is not live.
//
// Transaction: the caller's, after fix_plans.
// Throws:      db::Error.
boost::asio::awaitable<std::optional<Obstacles>> read_obstacles(db::Session& session, JobId job);

struct WorkerLoad {
    WorkerId worker{};
    std::int64_t held = 0;        // jobs that it has claimed and not finished
    std::int64_t from_queue = 0;  // of them, those of the queue asked for
    std::int64_t of_kind = 0;     // and those of the kind, from whatever queue
};

// What the live workers hold, in the order of their ids.
//
// Transaction: the caller's, after fix_plans.
// Throws:      db::Error.
boost::asio::awaitable<std::vector<WorkerLoad>> read_loads(db::Session& session, std::string queue, std::string kind);

}  // namespace queue

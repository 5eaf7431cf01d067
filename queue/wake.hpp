#pragma once

// Notifications: what a worker listens to.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <string_view>

namespace queue {

inline constexpr std::string_view wake_channel = "task_queue_wake";      // payload: the queue that got jobs
inline constexpr std::string_view queues_channel = "task_queue_queues";  // a queue was added or changed
inline constexpr std::string_view cancel_channel = "task_queue_cancel";  // payload: the worker id to look at its jobs

// Listens to these channels on this session, which must be a direct one: behind a pooler nothing would ever arrive.
// Transaction: none.
// Throws:      db::Error.
boost::asio::awaitable<void> listen(db::Session& session);

}  // namespace queue

#pragma once

// Leadership: one worker does the maintenance. A lease row on the database's clock; no session lock.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>

namespace queue {

// Takes the lead for so long when nobody has it, renews it when the worker has it already. False: another leads, or
// the worker has been declared dead.
// Throws: db::Error.
boost::asio::awaitable<bool> take_leadership(db::Session& session, WorkerId worker, std::chrono::milliseconds lease);

// Gives the lead up, so that another can take it at once. Nothing happens when the worker has it not.
// Throws: db::Error.
boost::asio::awaitable<void> yield_leadership(db::Session& session, WorkerId worker);

}  // namespace queue

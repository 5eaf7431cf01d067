#pragma once

// The connection pool: SQLAlchemy's QueuePool for asynchronous libpq. Fair: waiters are served first in, first out.
//
// A session that comes back inside a transaction is reset in the background before it is lent again. One that lost its
// connection is closed, and with it every connection opened before: after a restart of the server nobody meets a second
// dead one. A connection past pool_recycle is replaced in the background. Never ask the pool for a session while
// holding one.
//
// Thread: every member may be called from any thread.

#include "db/pool_stats.hpp"
#include "db/session.hpp"
#include "db/settings.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <source_location>

namespace db {

class PoolCore;

class Pool {
public:
    Pool(boost::asio::any_io_executor executor, ConnectionSettings connection, PoolSettings pool, Hooks hooks = {});
    ~Pool();  // closes what is free; sessions still lent close when they come back
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    // Lends a session, waiting at most pool_timeout for one. Uncontended, it suspends nobody. `where` names the holder
    // in the error that others get when they waited too long.
    //
    // Throws:       db::Error: pool_timeout (its text states size, overflow, waiters, the longest holder and what to
    //               change), connection or server (it cannot be reached, or refuses: the real reason), closed (after
    //               drain, or cancelled).
    // Cancellation: ends the wait.
    boost::asio::awaitable<Session> checkout(std::source_location where = std::source_location::current());

    // Lends a session when one is free, fresh and nobody waits for it; else nothing. Never suspends.
    std::optional<Session> try_checkout(std::source_location where = std::source_location::current());

    PoolStats stats() const;

    // Refuses new checkouts and closes what is free, then waits until every lent session came back, or the deadline.
    // One that comes back later is closed as well.
    boost::asio::awaitable<void> drain(std::chrono::steady_clock::time_point deadline);

private:
    std::shared_ptr<PoolCore> core_;
};

}  // namespace db

#pragma once

// Who keeps dead rows from being removed, and how full the server is.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace db {

// Something that holds back the xmin horizon of this database: rows that died after it began cannot be removed.
struct HorizonHolder {
    std::string what;          // session, prepared transaction, replication slot
    std::string name;          // application, global id, slot
    std::optional<int> pid{};  // of a session
    std::string state{
    };  // of a session: active, idle in transaction, ...; of a slot: catalogues, if it holds no others
    std::optional<std::chrono::seconds> age{};  // of the transaction; empty: not known
    std::int64_t transactions = 0;              // that began since
};

// The oldest first, this session left out. Other users' sessions are seen by members of pg_read_all_stats only.
// Throws: db::Error.
boost::asio::awaitable<std::vector<HorizonHolder>> read_horizon_holders(Session& session);

// Client connections that are open now, to any database of the server.
// Throws: db::Error.
boost::asio::awaitable<int> count_connections(Session& session);

// The server's clock.
// Throws: db::Error.
boost::asio::awaitable<TimePoint> read_clock(Session& session);

}  // namespace db

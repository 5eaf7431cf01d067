#pragma once

// Questions to the server's catalogues and settings.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>

namespace db {

struct ServerLimits {
    int max_connections = 0;
    int reserved_connections = 0;  // superuser_reserved_connections and reserved_connections
};

// Throws: db::Error.
boost::asio::awaitable<ServerLimits> read_server_limits(Session& session);

// The process id of the server process that answers. Behind a pooler it is not what the login said
// (Connection::backend_pid), which is how a pooler is noticed.
// Throws: db::Error.
boost::asio::awaitable<std::int64_t> read_backend_pid(Session& session);

}  // namespace db

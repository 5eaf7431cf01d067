#pragma once

// Questions to the server's catalogues and settings.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

namespace db {

struct ServerLimits {
    int max_connections = 0;
    int reserved_connections = 0;  // superuser_reserved_connections and reserved_connections
};

// Throws: db::Error.
boost::asio::awaitable<ServerLimits> read_server_limits(Session& session);

// Asks which server process answers, and whether it is the one of the login: behind a pooler it is not. Another sign is
// a prepared statement that is there before this session prepared it, or is not there afterwards; the session is then
// of no use any more. Throws: db::Error.
boost::asio::awaitable<bool> is_behind_pooler(Session& session);

}  // namespace db

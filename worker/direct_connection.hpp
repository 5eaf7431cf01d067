#pragma once

#include "worker/config.hpp"

namespace worker {

// How a connection past the pooler is opened: with direct_url and its own connect_timeout where there is one, else as
// any other.
db::ConnectionSettings direct_connection(const DatabaseConfig& database);

// The most connections a worker opens at the server: its pool, one for its control thread, one for LISTEN. Behind a
// pooler they are the pooler's; LISTEN alone goes past it, where there is a direct_url.
int own_connections(const DatabaseConfig& database);

}  // namespace worker

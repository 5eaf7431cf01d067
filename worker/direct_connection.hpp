#pragma once

#include "worker/config.hpp"

namespace worker {

// How a connection past the pooler is opened: with direct_url and its own connect_timeout where there is one, else as
// any other.
db::ConnectionSettings direct_connection(const DatabaseConfig& database);

}  // namespace worker

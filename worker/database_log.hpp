#pragma once

#include "db/settings.hpp"
#include "worker/config.hpp"

namespace worker {

// Hooks that write to the log what the server sends unasked, its notices and warnings, and with database.echo every
// statement by name, with its duration and its SQLSTATE where it failed.
db::Hooks database_log(const DatabaseConfig& database);

}  // namespace worker

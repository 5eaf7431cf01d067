#pragma once

#include "db/error.hpp"
#include "db/settings.hpp"
#include "worker/config.hpp"

#include <string>

namespace worker {

// What of an error may stand in the log: where the values are at fault, what the server says of them is left out.
std::string error_text(const db::Error& error);

// Hooks that write to the log what the server sends unasked, its notices and warnings, and with database.echo every
// statement by name, with its duration and its SQLSTATE where it failed.
db::Hooks database_log(const DatabaseConfig& database);

}  // namespace worker

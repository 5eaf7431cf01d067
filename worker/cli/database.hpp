#pragma once

// From options to a session: loads the configuration, connects, and runs one coroutine to its end.

#include "db/session.hpp"
#include "worker/cli/options.hpp"
#include "worker/config.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>

namespace worker::cli {

ConfigRequest config_request(const Global& global);

// The configuration in force. Throws: Failure (usage) with every problem in it.
LoadedConfig load(const Global& global);

// The URL of the running database of `task-worker dev`. Throws: Failure (unreachable) when there is none.
std::string find_embedded_url();

struct Visit {
    bool direct = false;       // past the pooler, and without statement_timeout: for migrations
    bool needs_schema = true;  // the schema must be the one that this program knows
};

// Runs function(session) on a connection of its own and returns what it returns. Without a database URL the running
// database of `task-worker dev` is used.
//
// Ctrl-C ends the process there and then, as by default: the server rolls back what is not committed.
//
// Throws: what the function throws; db::Error and Failure (schema) from connecting.
using SessionFunction = std::function<boost::asio::awaitable<int>(db::Session& session)>;
int with_session(const Config& config, Visit visit, const SessionFunction& function);

// Throws: Failure (schema) unless the schema is current.
boost::asio::awaitable<void> check_schema(db::Session& session);

}  // namespace worker::cli

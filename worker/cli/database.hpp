#pragma once

// From options to a session: loads the configuration, connects, and runs one coroutine to its end.

#include "db/session.hpp"
#include "worker/cli/options.hpp"
#include "worker/config.hpp"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <functional>
#include <string>

namespace worker::cli {

ConfigRequest config_request(const Global& global);

// With --json, as a log of JSON, unless --set says otherwise: what a worker writes is its log.
Global with_json_log(Global global);

// The folder of --data, or the default one.
std::filesystem::path data_folder(const Global& global);

// Puts an embedded PostgreSQL in the place of the database that is configured.
void use_embedded(Config& config, const std::string& url);

// Decides which database is meant: the one of --data; else the configured one; else the running one of `task-worker
// dev`. False: none is configured and none runs.
// Throws: Failure (unreachable) when none runs on --data, (usage) for --data with --url.
bool choose_database(const Global& global, Config& config);

// The configuration in force, with the database that is meant. Throws: Failure (usage) with every problem in it,
// (unreachable) when there is no database; as choose_database.
LoadedConfig load(const Global& global);

struct Visit {
    bool direct = false;       // past the pooler, and without statement_timeout: for migrations
    bool needs_schema = true;  // the schema must be the one that this program knows
};

// Runs function(session) on a connection of its own and returns what it returns.
//
// Ctrl-C ends the process there and then, as by default: the server rolls back what is not committed.
//
// Throws: what the function throws; db::Error and Failure (schema) from connecting.
using SessionFunction = std::function<boost::asio::awaitable<int>(db::Session& session)>;
int with_session(const Config& config, Visit visit, const SessionFunction& function);

// Throws: Failure (schema) unless the schema is current.
boost::asio::awaitable<void> check_schema(db::Session& session);

}  // namespace worker::cli

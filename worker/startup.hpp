#pragma once

// What must hold before a worker claims: a database that answers, a schema that this program understands, room in the
// connection budget.

#include "db/budget.hpp"
#include "db/migrations.hpp"
#include "db/pool.hpp"
#include "queue/workers.hpp"
#include "worker/config.hpp"

#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

namespace worker {

// A reason not to start: what is wrong and the way out, and the exit code.
class StartRefused : public std::runtime_error {
public:
    StartRefused(int exit_code, const std::string& what) : std::runtime_error(what), exit_code_(exit_code) {}
    int exit_code() const { return exit_code_; }

private:
    int exit_code_;
};

// How this process registers.
queue::NewWorker describe_self(const Config& config, const std::vector<std::string>& kinds);

// Waits for the database, with retries for half a minute or until `stopping`; migrates when the configuration says so;
// checks the schema; registers the worker and holds the fleet against the budget.
// Throws: StartRefused.
boost::asio::awaitable<queue::WorkerId> start_up(
    db::Pool& pool, const Config& config, const queue::NewWorker& self, const std::atomic<bool>& stopping
);

// Reads the fleet and the server's limits and adds them up. For the start and for `check`.
// Throws: db::Error.
boost::asio::awaitable<db::Budget> read_budget(db::Session& session, const Config& config, queue::WorkerId self);

// The text for a pooler that stands in front of the database although the configuration says none.
std::string pooler_trouble();

// The text for a schema that is not current, with the command that mends it; empty when it is.
std::string schema_trouble(db::SchemaState state);
// Whether this program can be used with such a schema.
bool works_with(db::SchemaState state);

}  // namespace worker

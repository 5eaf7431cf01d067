#pragma once

// Worker processes as the database knows them: registration, heartbeat, end.

#include "db/session.hpp"
#include "queue/bundle.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace queue {

struct NewWorker {
    int connections = 0;  // the most that the process opens
    int slots = 0;
    int pid = 0;
    std::string host{};
    std::string version{};
    std::vector<std::string> kinds{};   // served
    std::vector<std::string> queues{};  // served; none: all
};

// Adds a worker and returns its id, which no worker had before.
// Throws: db::Error.
boost::asio::awaitable<WorkerId> register_worker(db::Session& session, NewWorker worker);

// Running jobs that were asked to stop.
struct CancelRequest {
    RowId row{};
    ClaimNumber claim{};
    Mask jobs = 0;
};

struct Heartbeat {
    bool alive = false;  // false: declared dead; drop every lease and register anew
    std::vector<CancelRequest> cancels{};
};

// Counts a beat, unless the worker has been declared dead, and reads the requests to cancel. They are answered with
// every beat until their jobs have ended.
//
// Transaction: the caller's. Locks workers.
// Throws:      db::Error.
boost::asio::awaitable<Heartbeat> record_heartbeat(db::Session& session, WorkerId worker);

// Sets or clears the flag that makes producers notify. claim_bundles can set it as well.
// Throws: db::Error.
boost::asio::awaitable<void> set_hungry(db::Session& session, WorkerId worker, bool hungry);

// Ends a worker in order. Leases that it still holds are rescued like those of a dead one.
// Throws: db::Error.
boost::asio::awaitable<void> retire_worker(db::Session& session, WorkerId worker);

struct Worker {
    WorkerId id{};
    std::int64_t beat = 0;
    int connections = 0;
    int slots = 0;
    int pid = 0;
    bool hungry = false;
    bool stopped = false;  // ended in order
    std::string host{};
    std::string version{};
    std::vector<std::string> kinds{};
    std::vector<std::string> queues{};  // none: all
    db::TimePoint started_at{};
    db::TimePoint heartbeat_at{};
    std::optional<db::TimePoint> dead_at{};
    std::chrono::milliseconds heartbeat_age{};
};

// live, stopped (in order) or dead.
std::string_view state_name(const Worker& worker);

// Every worker, living or dead within the hour, in the order of their ids.
// Throws: db::Error.
boost::asio::awaitable<std::vector<Worker>> read_workers(db::Session& session);

// A worker and the beat that its observer saw last.
struct SeenBeat {
    WorkerId worker{};
    std::int64_t beat = 0;
};

// Declares workers dead whose beat has not moved since. Returns those that it declared; passes over locked rows.
//
// Transaction: the caller's. Locks workers.
// Throws:      db::Error.
boost::asio::awaitable<std::vector<WorkerId>> declare_dead(db::Session& session, std::span<const SeenBeat> seen);

}  // namespace queue

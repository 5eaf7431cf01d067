#pragma once

// What goes wrong without anybody saying so: leases that nobody holds, batches that cannot finish, dead rows before the
// head of a line.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace queue {

struct StuckLease {
    WorkerId worker{};
    std::string trouble;  // unknown: no such worker; dead: and not rescued; silent: lives, but does not beat
    std::string place;    // host and process, where known
    std::int64_t jobs = 0;
    db::TimePoint since{};  // the oldest claim
};

// Leases whose worker has been dead or silent for longer than `patience`, or is not known at all; by worker.
//
// Transaction: the caller's, after fix_plans.
// Throws:      db::Error.
boost::asio::awaitable<std::vector<StuckLease>> list_stuck_leases(
    db::Session& session, std::chrono::milliseconds patience
);

struct StuckBatch {
    BatchId id{};
    std::string name;
    std::string
        trouble;  // open: never sealed; lost: sealed, but jobs are missing; gone: jobs name it, but it is not there
    std::int64_t jobs = 0;  // that have not ended
    db::TimePoint since{};
};

// Batches that cannot finish by themselves: open ones older than `open_for` that nothing will seal, sealed ones whose
// missing jobs are nowhere, and what is not there though jobs name it.
//
// Transaction: the caller's, after fix_plans. Reads every live row of a batch that is not there.
// Throws:      db::Error.
boost::asio::awaitable<std::vector<StuckBatch>> list_stuck_batches(db::Session& session, std::chrono::seconds open_for);

struct HeadCost {
    std::int64_t lanes = 0;
    std::int64_t blocks = 0;  // read to find the first job of every lane
};

// How far a claim reads before it finds the first job: a few blocks a lane, many when dead rows stand before it.
//
// Transaction: the caller's, after fix_plans.
// Throws:      db::Error.
boost::asio::awaitable<HeadCost> measure_heads(db::Session& session);

}  // namespace queue

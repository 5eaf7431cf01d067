#pragma once

// Retention: what is old goes, in bounded steps.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace queue {

// Adds the history's partitions for today and so many days ahead. Returns how many were missing.
// Throws: db::Error; lock_not_available (55P03) rather than let anybody wait behind it: try again.
boost::asio::awaitable<int> create_partitions(db::Session& session, int days);

// Drops the history's oldest day when all of it is older than `keep`. Returns the name of what it dropped; call again
// until it returns nothing.
// Throws: as create_partitions.
boost::asio::awaitable<std::optional<std::string>> drop_partition(db::Session& session, std::chrono::seconds keep);

struct Pruned {
    int rows = 0;
    bool more = false;  // perhaps: call again
};

struct BatchRetention {
    std::chrono::seconds clean{};      // of batches in which no job was discarded
    std::chrono::seconds dead_jobs{};  // of the others, unless it is shorter: they stay as long as their dead letters
};

// Each deletes at most `rows` rows that ended longer ago than `keep` and returns how many; dead letters also at most
// those whose args begin within 16 MiB.
//
// Transaction: the caller's. Each locks rows of its own table only.
// Throws:      db::Error.
boost::asio::awaitable<Pruned> prune_dead_jobs(db::Session& session, std::chrono::seconds keep, int rows);
// Batches with a dead letter or a change that is not folded stay. After fix_plans.
boost::asio::awaitable<Pruned> prune_batches(db::Session& session, BatchRetention keep, int rows);
boost::asio::awaitable<int> prune_enqueue_keys(db::Session& session, std::chrono::seconds keep, int rows);
// Workers that a running row still names stay. After fix_plans.
boost::asio::awaitable<int> prune_workers(db::Session& session, std::chrono::seconds keep, int rows);
// Reports of jobs that do not run: of one that ended while its report was on its way. After fix_plans.
boost::asio::awaitable<int> prune_task_progress(db::Session& session, std::chrono::seconds keep, int rows);

}  // namespace queue

#pragma once

// Failures: what went wrong lately, of jobs that are tried again and of those that are not.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace queue {

struct Failure {
    JobId job{};
    std::string kind{};
    std::string queue{};
    int attempt = 0;  // that failed
    int max_attempts = 0;
    std::string error{};                                  // its first 300 characters
    std::chrono::milliseconds age{};                      // since it failed
    std::optional<std::chrono::milliseconds> next_run{};  // until the next attempt, 0 at least; empty: a dead letter
};

// The latest failures, the newest first: of the dead letters, and of the 200 jobs that are to be retried soonest, as
// far as they are among the 10,000 rows that are due soonest.
//
// Transaction: the caller's, after fix_plans.
// Throws:      db::Error.
boost::asio::awaitable<std::vector<Failure>> list_recent_failures(db::Session& session, int limit);

}  // namespace queue

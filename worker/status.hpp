#pragma once

// The document at /status: what this worker is and does at this instant, and what is known of the fleet.

#include "db/pool_stats.hpp"
#include "queue/workers.hpp"
#include "worker/engine.hpp"
#include "worker/metrics.hpp"
#include "worker/overview.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

namespace worker {

struct Status {
    queue::WorkerId worker{};
    const queue::NewWorker& self;
    Engine::Snapshot engine;
    db::PoolStats pool;
    bool leader = false;
    bool listening = false;
    bool stopping = false;
    std::chrono::nanoseconds heartbeat_age{};
    std::array<std::uint64_t, attempt_end_names.size()> ended{};  // attempts, by AttemptEnd
    Overview::Seen fleet{};
};

std::string status_json(const Status& status);

}  // namespace worker

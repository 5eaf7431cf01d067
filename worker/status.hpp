#pragma once

// The document at /status: what this worker is and does at this instant.

#include "db/pool_stats.hpp"
#include "queue/batches.hpp"
#include "queue/workers.hpp"
#include "worker/engine.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

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
    std::optional<std::vector<queue::BatchStatus>> batches{
    };  // that have not finished; empty where this worker leads not
};

std::string status_json(const Status& status);

}  // namespace worker

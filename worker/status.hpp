#pragma once

// The document at /status: what this worker is and does at this instant.

#include "db/pool_stats.hpp"
#include "queue/workers.hpp"
#include "worker/engine.hpp"

#include <chrono>
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
};

std::string status_json(const Status& status);

}  // namespace worker

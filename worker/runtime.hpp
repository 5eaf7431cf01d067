#pragma once

// A worker process from start to stop: composition of everything else.

#include "worker/config.hpp"
#include "worker/natives.hpp"

#include <string>

namespace worker {

struct RunRequest {
    LoadedConfig config;     // without problems
    std::string ready_file;  // the database URL is written here when the worker is ready; empty: nowhere
    AddKinds add_kinds{};    // the program's own handlers
};

// Connects, checks schema and budget, claims and runs jobs until SIGTERM or SIGINT, and stops in order. A second signal
// skips a phase of stopping. Call it on the main thread, once.
//
// Returns the exit code: 0 stopped in order, 2 the endpoint's address cannot be used, 3 database unreachable or login
// refused, 4 schema not understood, 5 budget refused; what was wrong is in the log.
int run_worker(const RunRequest& request);

}  // namespace worker

#pragma once

// How a program of one's own adds native handlers: worker::cli::run(argc, argv, add_kinds).

#include "jobs/blocking.hpp"
#include "jobs/handler.hpp"

#include <functional>

namespace worker {

// What the worker lends to native handlers. It outlives them.
struct NativeTools {
    jobs::BlockingThreads& blocking;  // worker.blocking_threads of them
};

// Adds kinds to the registry. Other things that its handlers need it captures: they are passed, not found. Called once
// by a worker, and by commands that only want to know the names, so it must not start work of its own.
using AddKinds = std::function<void(jobs::Registry& registry, const NativeTools& tools)>;

}  // namespace worker

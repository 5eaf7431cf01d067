#pragma once

// The kinds that this process runs: the built-in ones and those that the configuration declares.

#include "jobs/handler.hpp"
#include "worker/config.hpp"

namespace worker {

// A configured handler replaces a built-in kind of the same name.
jobs::Registry make_registry(const Config& config);

}  // namespace worker

#pragma once

// The kinds that this process runs: the built-in ones, the program's own, and those that the configuration declares.

#include "jobs/handler.hpp"
#include "worker/config.hpp"
#include "worker/metrics.hpp"
#include "worker/natives.hpp"

#include <optional>
#include <string>
#include <vector>

namespace worker {

// A configured handler replaces a native one of the same name, and that a built-in one.
jobs::Registry make_registry(const Config& config, const AddKinds& add_natives, const NativeTools& tools);

// The names of the same kinds, without their handlers.
std::vector<std::string> kind_names(const Config& config, const AddKinds& add_natives);

// How this process would run jobs of a kind; empty: it has no handler for it.
std::optional<jobs::KindPolicy> find_policy(const Config& config, const AddKinds& add_natives, const std::string& kind);

// What the handlers of all kinds have counted.
std::vector<HandlerSnapshot> handler_snapshots(const jobs::Registry& registry);

}  // namespace worker

#include "worker/registry.hpp"

#include "jobs/builtin.hpp"
#include "jobs/exec.hpp"

namespace worker {

jobs::Registry make_registry(const Config& config) {
    jobs::Registry registry;
    for (const auto& [kind, handler] : config.handlers) {
        registry.add({kind, jobs::make_exec_handler(handler.exec), handler.policy});
    }
    jobs::Registry builtin;
    jobs::add_builtin_kinds(builtin);
    for (const std::string& kind : builtin.names()) {
        if (registry.find(kind) == nullptr) registry.add(*builtin.find(kind));
    }
    return registry;
}

}  // namespace worker

#pragma once

// How long a worker may take to stop, by its configuration.

#include "tests/support/command.hpp"

#include <yaml-cpp/yaml.h>

#include <string>

namespace tests {

// shutdown.soft + shutdown.hard in seconds.
inline int stop_seconds(const std::string& config) {
    const Finished check =
        run_command({.words = {TASK_WORKER_BINARY, "check", "--json", "--config", config}, .folder = "/"});
    double seconds = 0;
    for (const auto& setting : YAML::Load(check.output)["settings"]) {
        const auto key = setting["key"].as<std::string>();
        if (key == "shutdown.soft" || key == "shutdown.hard") seconds += std::stod(setting["value"].as<std::string>());
    }
    return static_cast<int>(seconds);
}

}  // namespace tests

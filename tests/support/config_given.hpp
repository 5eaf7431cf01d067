#pragma once

// Configurations for tests, loaded from texts.

#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "worker/config.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tests {

struct Given {
    std::string yaml{};
    std::map<std::string, std::string> environment{};
    std::map<std::string, std::string> flags{};
    std::string dotenv{};
};

inline worker::LoadedConfig load(const Given& given) {
    const TemporaryFolder folder;
    if (!given.yaml.empty()) folder.write("config.yml", given.yaml);
    if (!given.dotenv.empty()) folder.write(".env", given.dotenv);
    return worker::load_config({.folder = folder.path(), .flags = given.flags, .environment = given.environment});
}

inline worker::Config loaded(const Given& given) {
    worker::LoadedConfig result = load(given);
    for (const worker::Problem& problem : result.problems) UNSCOPED_INFO(describe(problem));
    REQUIRE(result.problems.empty());
    return std::move(result.config);
}

inline std::vector<std::string> problems_of(const Given& given) {
    std::vector<std::string> texts;
    for (const worker::Problem& problem : load(given).problems) texts.push_back(describe(problem));
    return texts;
}

inline worker::Setting setting(const worker::LoadedConfig& config, const std::string& key) {
    const auto found = std::ranges::find(config.settings, key, &worker::Setting::key);
    REQUIRE(found != config.settings.end());
    return *found;
}

}  // namespace tests

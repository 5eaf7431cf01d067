#include "tests/support/config_given.hpp"
#include "tests/support/golden.hpp"
#include "worker/config.hpp"
#include "worker/config_keys.hpp"

#include <fstream>
#include <iterator>
#include <regex>

using namespace worker;
using namespace tests;

namespace {

const std::string source_folder = TASK_WORKER_SOURCE_DIR;

std::string read(const std::string& path) {
    std::ifstream input(path);
    REQUIRE(input);
    return {std::istreambuf_iterator<char>(input), {}};
}

}  // namespace

TEST_CASE("the shipped config.yml says the defaults and nothing else", "[worker][config]") {
    const std::string shipped = read(source_folder + "/config.yml");
    const LoadedConfig plain = load({.yaml = shipped});
    CHECK(plain.problems.empty());
    CHECK(plain.config.handlers.contains("count-words"));
    CHECK(plain.config.handlers.at("count-words").exec.cwd == plain.config.folder);

    const LoadedConfig spoken = load({.yaml = std::regex_replace(shipped, std::regex("#([a-z_-]+:)"), "$1")});
    for (const Problem& problem : spoken.problems) UNSCOPED_INFO(describe(problem));
    REQUIRE(spoken.problems.empty());
    const auto defaults = load({});
    for (const Key<Config>& key : config_keys()) {
        INFO(key.name);
        CHECK(setting(spoken, key.name).value == setting(defaults, key.name).value);
        const std::string word = key.name.substr(key.name.rfind('.') + 1);
        CHECK(std::regex_search(shipped, std::regex("\n *#" + word + ":")));
    }
    const HandlerConfig& handler = spoken.config.handlers.at("count-words");
    for (const Key<HandlerConfig>& key : handler_keys()) {
        if (key.name == "exec" || key.name == "cwd") continue;
        INFO(key.name);
        CHECK(key.show(handler) == key.show(HandlerConfig{}));
    }
}

TEST_CASE("docs/config.schema.json is current", "[worker][config][golden]") {
    tests::check_golden("docs/config.schema.json", config_schema());
}

// The settings that README and docs/ show are settings.
#include "tests/support/config_given.hpp"
#include "tests/support/markdown.hpp"

#include <filesystem>
#include <regex>
#include <string>
#include <vector>

namespace fs = std::filesystem;

TEST_CASE("what README and docs/ show of config.yml is taken as it stands", "[docs][config]") {
    const fs::path root = TASK_WORKER_SOURCE_DIR;
    std::vector<std::string> pages{"README.md"};
    for (const auto& file : fs::directory_iterator(root / "docs")) {
        if (file.path().extension() == ".md") pages.push_back(fs::relative(file.path(), root));
    }
    const tests::TemporaryFolder folder;
    folder.write("key", "whsec_" + std::string(32, 'A'));
    int blocks = 0;
    for (const std::string& page : pages) {
        for (std::string yaml : tests::blocks_of(tests::read_page(page), "yaml")) {
            ++blocks;
            // What it names must be there.
            yaml = std::regex_replace(yaml, std::regex("/srv/docs"), folder.path());
            yaml =
                std::regex_replace(yaml, std::regex("/run/secrets/[a-z_]+|webhook\\.secret"), folder.path() + "/key");
            INFO(page << "\n" << yaml);
            CHECK(tests::problems_of({.yaml = yaml}) == std::vector<std::string>{});
        }
    }
    CHECK(blocks >= 6);
}

// Every link from one page of the repository to another leads to a file and to a heading that there is.

#include "tests/support/catch.hpp"
#include "tests/support/markdown.hpp"

#include <algorithm>
#include <filesystem>
#include <regex>
#include <string>
#include <vector>

using namespace tests;

namespace {

namespace files = std::filesystem;

const files::path root = TASK_WORKER_SOURCE_DIR;

std::vector<files::path> pages() {
    std::vector<files::path> found;
    for (const char* const name : {"README.md", "SECURITY.md", "ARCHITECTURE.md", "CHANGELOG.md"})
        found.emplace_back(name);
    for (const char* const folder : {"docs", "deploy"}) {
        for (const auto& file : files::recursive_directory_iterator(root / folder)) {
            if (file.path().extension() == ".md") found.push_back(files::relative(file.path(), root));
        }
    }
    return found;
}

}  // namespace

TEST_CASE("links between pages lead somewhere", "[docs]") {
    const std::regex link(R"(\]\(([^)#:]*)(?:#([^)]+))?\))");
    int followed = 0;
    for (const files::path& page : pages()) {
        const std::string text = read_page(page);
        for (std::sregex_iterator at(text.begin(), text.end(), link); at != std::sregex_iterator(); ++at) {
            INFO(page.string() << ": " << at->str());
            const std::string target = (*at)[1];
            const files::path file = target.empty() ? page : (page.parent_path() / target).lexically_normal();
            REQUIRE(files::exists(root / file));
            if ((*at)[2].matched) {
                const auto anchors = heading_anchors(read_page(file));
                CHECK(std::ranges::find(anchors, (*at)[2].str()) != anchors.end());
            }
            ++followed;
        }
    }
    CHECK(followed > 30);
}

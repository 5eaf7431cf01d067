// The manual pages are troff that groff takes without a word.
#include "tests/support/catch.hpp"
#include "tests/support/shell.hpp"

#include <filesystem>

using namespace tests;

TEST_CASE("man writes pages that groff formats without a warning", "[worker][cli][man][scenario]") {
    const Shell shell("");
    const Finished written = shell.run({"man", "--to", "manuals"});
    INFO(written.errors);
    REQUIRE(written.code == 0);
    int pages = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(shell.folder.path() + "/manuals")) {
        if (!file.is_regular_file()) continue;
        ++pages;
        const Finished shown = run_command(
            {.words = {"/usr/bin/groff", "-man", "-Tutf8", "-ww", "-s", file.path().string()},
             .folder = shell.folder.path() + "/manuals"}
        );
        INFO(file.path().string() << ": " << shown.errors);
        CHECK(shown.code == 0);
        CHECK(shown.errors.empty());
        CHECK(holds(shown.output, "task-worker"));
    }
    CHECK(pages > 12);
    CHECK(holds(shell.run({"man", "task-worker-batch"}).output, "batch redrive"));
    shell.refuses({"man", "no-page"}, 1, "there is no page no-page");
}

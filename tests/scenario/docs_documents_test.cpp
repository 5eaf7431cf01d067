// docs/documents.md does what it says: its files are written out, its commands and its SQL run.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/guide.hpp"
#include "tests/support/process.hpp"

#include <string>
#include <vector>

using namespace tests;

namespace {

const std::string guide = "docs/documents.md";

}  // namespace

TEST_CASE("docs/documents.md leads from a folder to a search", "[scenario][docs][documents]") {
    const TestDatabase database;
    const TemporaryFolder folder;
    write_files_of(guide, folder);
    const WorkerProcess worker(database.url(), {}, {"--config", folder.path() + "/config.yml"});
    const std::vector<std::string> lines = indented_lines(read_page(guide));
    REQUIRE(lines.size() == 6);
    CHECK(lines[0] == "task-worker dev --url-file url");  // run by the test of docs/producers.md
    CHECK(lines[1] == "export DATABASE_URL=\"$(cat url)\"");
    std::vector<Finished> finished;
    for (std::size_t i = 2; i < lines.size(); ++i) {
        INFO(lines[i]);
        finished.push_back(run_command(guide_command(folder, database.url(), lines[i])));
        INFO(finished.back().output << finished.back().errors);
        CHECK(finished.back().code == 0);
    }
    CHECK(finished[2].output.starts_with(folder.path() + "/penguins.md\n"));
    CHECK(finished[2].output.find("emperor **penguin**") != std::string::npos);
    CHECK(finished[3].output.starts_with("removed 0 files"));

    folder.write("all.sql", sql_of(guide));
    const Finished sql = run_command(guide_command(folder, database.url(), run_sql + "-f all.sql"));
    INFO(sql.errors);
    CHECK(sql.code == 0);
    CHECK(sql.output.starts_with(folder.path() + "/puffins.html|"));
    database.await("select count(*) from task_queue.jobs where state = 'completed'", "7");
}

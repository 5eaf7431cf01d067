// docs/producers.md and docs/producers/ do what they say: their files are written out, their commands run, and what
// they print is what the pages show.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/guide.hpp"
#include "tests/support/process.hpp"
#include "tests/support/skip.hpp"

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

using namespace tests;

namespace {

const std::string guide = "docs/producers.md";

// Where node-pg lies: where Debian puts it, or where the variable says.
std::string node_modules() {
    const char* const given = std::getenv("TASK_WORKER_TEST_NODE_MODULES");
    return given == nullptr ? "/usr/share/nodejs" : given;
}

// The database that the guide makes, and a worker with its handlers.
struct Office {
    TestDatabase database;
    TemporaryFolder folder;

    Office() {
        write_files_of(guide, folder);
        database.psql("create table orders (id integer primary key, email text not null)");
    }
    Finished run(const std::string& line) const {
        Command command = guide_command(folder, database.url(), line);
        command.environment["NODE_PATH"] = node_modules();
        return run_command(command);
    }
    bool has(const std::string& line) const { return run(line).code == 0; }
};

// A page's programs, each run as the page says, with what the page says that it prints.
void check_programs(const Office& office, const std::string& page, std::size_t programs) {
    write_files_of(page, office.folder);
    const std::vector<std::string> lines = indented_lines(read_page(page));
    const std::vector<std::string> shown = blocks_of(read_page(page), "text");
    REQUIRE(lines.size() == programs);
    REQUIRE(shown.size() == programs);
    const WorkerProcess worker(office.database.url(), {}, {"--config", office.folder.path() + "/config.yml"});
    for (std::size_t i = 0; i < programs; ++i) {
        INFO(lines[i]);
        office.database.psql("delete from orders");
        const Finished finished = office.run(lines[i]);
        INFO(finished.errors);
        CHECK(finished.code == 0);
        // A line that is written over and over shows its last state.
        std::string seen = finished.output;
        for (std::size_t at; (at = seen.rfind('\r')) != std::string::npos;) {
            const std::size_t start = seen.rfind('\n', at) + 1;
            seen.erase(start, at + 1 - start);
        }
        CHECK(seen == shown[i]);
        CHECK(office.database.value("select count(*) from orders") == "2");
    }
    const std::string jobs = std::to_string(4 * programs);
    office.database.await("select count(*) from task_queue.jobs where state = 'completed'", jobs);
    CHECK(office.database.value("select count(*) from task_queue.jobs") == jobs);
}

}  // namespace

TEST_CASE("the SQL of docs/producers.md does what it says, in psql", "[scenario][docs]") {
    Office office;
    office.database.psql("drop table orders");
    const WorkerProcess worker(office.database.url(), {}, {"--config", office.folder.path() + "/config.yml"});
    office.folder.write("all.sql", sql_of(guide));
    const Finished finished = office.run(run_sql + "-f all.sql");
    INFO(finished.output << finished.errors);
    CHECK(finished.code == 0);
    CHECK(finished.errors.empty());
    const std::vector<std::string> lines = lines_of(finished.output);
    CHECK(std::ranges::count(lines, "t") == 3);  // the_same_job, twice; sealed
    CHECK(std::ranges::count(lines, "cancelled") == 1);
    CHECK(std::ranges::count(lines, "3") == 1);
    CHECK(std::ranges::find(lines, R"(completed|{"sent_to":"ada@example.com"}|)") != lines.end());
    office.database.await("select state from task_queue.batches where name = 'receipts'", "finished");
    office.database.await("select count(*) from task_queue.jobs where kind = 'report' and state = 'completed'", "1");
}

TEST_CASE("the first steps of docs/producers.md lead to a database and a worker", "[scenario][docs]") {
    const TemporaryFolder folder;
    write_files_of(guide, folder);
    const std::vector<std::string> lines = indented_lines(read_page(guide));
    REQUIRE(lines.size() == 3);
    Child dev(guide_command(folder, "", "exec " + with_own_data(lines[0])));
    dev.wait_for("\"ready\"");
    const std::string enqueue = "select task_queue.enqueue('send-receipt', '{\"email\": \"ada@example.com\"}')";
    Command ask = guide_command(
        folder,
        "",
        lines[1] + "\njob=$(" + lines[2] + " -X -A -t -c \"$ENQUEUE\")\ntask-worker job wait $job >&2\n" + lines[2] +
            " -X -A -t -c \"select result ->> 'sent_to' from task_queue.job($job)\""
    );
    ask.environment["ENQUEUE"] = enqueue;
    const Finished asked = run_command(ask);
    INFO(asked.errors);
    CHECK(asked.code == 0);
    CHECK(asked.output == "ada@example.com\n");
    dev.signal(SIGTERM);
    CHECK(dev.wait().code == 0);
}

TEST_CASE("the programs of docs/producers/python.md run as they stand", "[scenario][docs]") {
    const Office office;
    if (!office.has("python3 -c 'import psycopg, psycopg2, sqlalchemy'")) {
        skip("no psycopg, psycopg2 and SQLAlchemy for Debian's Python: deploy/dependencies test");
        return;
    }
    check_programs(office, "docs/producers/python.md", 2);
}

TEST_CASE("the program of docs/producers/node.md runs as it stands", "[scenario][docs]") {
    const Office office;
    if (!office.has("node -e 'require(\"pg\")'")) {
        skip("no Node.js with node-pg: deploy/dependencies producers, or TASK_WORKER_TEST_NODE_MODULES");
        return;
    }
    std::filesystem::create_directory_symlink(node_modules(), office.folder.path() + "/node_modules");
    check_programs(office, "docs/producers/node.md", 1);
}

TEST_CASE("the program of docs/producers/go.md runs as it stands", "[scenario][docs]") {
    const Office office;
    if (!office.has("command -v go && test -d /usr/share/gocode/src/github.com/lib/pq")) {
        skip("no Go with lib/pq: deploy/dependencies producers");
        return;
    }
    check_programs(office, "docs/producers/go.md", 1);
}

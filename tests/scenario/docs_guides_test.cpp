// The guides in docs/ about tests, personal data and versions: what they say to do works.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/guide.hpp"
#include "tests/support/process.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace tests;

namespace {

// One person's data in every place where a job's can be, and beside it another's.
constexpr const char* some_data = R"sql(
    select task_queue.enqueue_many('quiet', a, bundle => 2), task_queue.enqueue_many('quiet', a, bundle => 2, delay => '1 h'),
        task_queue.enqueue_many('sent', a, enqueue_key => 'to ada@example.com'), task_queue.enqueue_many('refused', a)
    from (values (array['{"email": "ada@example.com"}', '{"email": "bob@example.com"}']::json[])) v(a);
    select task_queue.enqueue(
        'quiet', '{"email": "ada@example.com"}', unique_key => 'ada@example.com', meta => '{"by": "ada@example.com"}',
        delay => '1 h'
    );
)sql";

constexpr const char* its_handlers = R"yaml(
handlers:
  quiet: {exec: ['true']}
  sent: {exec: [sh, -c, 'echo "{\"result\": \"$ARG_EMAIL\"}"']}
  refused: {exec: [sh, -c, 'echo "no mailbox $ARG_EMAIL"; exit 65']}
)yaml";

constexpr const char* jobs_of_bob =
    "select count(*) from task_queue.jobs l, task_queue.job(l.id) j where j.args ->> 'email' = 'bob@example.com'";

}  // namespace

TEST_CASE("the tests that docs/testing.md shows pass, with the handlers of docs/handlers.md", "[scenario][docs]") {
    const TemporaryFolder folder;
    write_files_of("docs/handlers.md", folder);
    write_files_of("docs/testing.md", folder);
    folder.write("webhook.secret", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n");
    const std::vector<std::string> lines = indented_lines(read_page("docs/testing.md"));
    REQUIRE(lines.size() == 3);
    std::vector<Finished> finished;
    for (const std::string& line : lines) {
        finished.push_back(run_command(guide_command(folder, "", line)));
        INFO(line << "\n" << finished.back().output << finished.back().errors);
        CHECK(finished.back().code == 0);
    }
    CHECK(finished[0].output == "{\"result\": {\"slug\": \"hello-world\"}}\n");
    CHECK(finished[1].errors.find("Ran 3 tests") != std::string::npos);
    CHECK(finished[2].output.find("\"slug\":\"hello-world\"") != std::string::npos);
}

TEST_CASE("a test sees what it enqueued as docs/testing.md says, and rolls it back", "[scenario][docs]") {
    const TestDatabase database;
    const TemporaryFolder folder;
    folder.write("test.sql", sql_of("docs/testing.md"));
    const Finished finished = run_command(guide_command(folder, database.url(), run_sql + "-f test.sql"));
    INFO(finished.errors);
    CHECK(finished.code == 0);
    CHECK(finished.output.find("slugify|default|{\"title\": \"Hello, World!\"}") != std::string::npos);
    CHECK(database.value("select count(*) from task_queue.jobs") == "0");
}

TEST_CASE("the SQL of docs/personal-data.md deletes one person's data from everywhere", "[scenario][docs]") {
    const TestDatabase database;
    const TemporaryFolder folder;
    folder.write("config.yml", its_handlers);
    database.psql(some_data);
    {
        WorkerProcess worker(database.url(), {}, {"--config", folder.path() + "/config.yml"});
        database.await("select count(*) from task_queue.jobs where state in ('completed', 'discarded')", "6");
    }
    const std::vector<std::string> blocks = blocks_of(read_page("docs/personal-data.md"), "sql");
    REQUIRE(blocks.size() == 4);
    folder.write("left.sql", blocks.back());
    folder.write("all.sql", sql_of("docs/personal-data.md"));
    const std::string psql = run_sql + "-v email=ada@example.com ";
    // Two rows that wait, one that completed, a result, its key, a dead letter.
    CHECK(run_command(guide_command(folder, database.url(), psql + "-f left.sql")).output == "6\n");
    CHECK(database.value(jobs_of_bob) == "4");
    const Finished finished = run_command(guide_command(folder, database.url(), psql + "-f all.sql"));
    INFO(finished.output << finished.errors);
    CHECK(finished.code == 0);
    CHECK(finished.output.ends_with("\n0\n"));
    CHECK(finished.output.find("|cancelled") != std::string::npos);
    CHECK(database.value("select count(*) from task_queue.jobs") == "9");
    CHECK(database.value(jobs_of_bob) == "4");
    CHECK(database.value("select count(*) from task_queue.jobs where state = 'cancelled'") == "2");
}

TEST_CASE("the commands of docs/versions.md work", "[scenario][docs]") {
    const TestDatabase database;
    const TemporaryFolder folder;
    const std::vector<std::string> lines = indented_lines(read_page("docs/versions.md"));
    CHECK(lines.size() == 3);
    for (const std::string& line : lines) {
        const Finished finished = run_command(guide_command(folder, database.url(), line));
        INFO(line << "\n" << finished.errors);
        CHECK(finished.code == 0);
    }
}

TEST_CASE("docs/logs.md: a traceparent goes with a job", "[scenario][docs]") {
    const TestDatabase database;
    database.psql(sql_of("docs/logs.md"));
    CHECK(
        database.value("select meta ->> 'traceparent' from task_queue.bundles where kind_id = "
                       "(select id from task_queue.kinds where name = 'send-receipt')"
        ) == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    );
}

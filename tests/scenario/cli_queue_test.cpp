// queue, worker and dead: the real program against a real database.

#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/shell.hpp"

using namespace tests;

TEST_CASE("queue lists, creates, pauses and resumes", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    CHECK(shell.run({"queue", "create", "mail", "--concurrency", "5"}).code == 0);
    CHECK(shell.run({"enqueue", "echo", "--queue", "mail"}).code == 0);
    CHECK(shell.run({"queue", "pause", "mail"}).output == "queue mail is paused\n");
    CHECK(holds(
        shell.run({"queue", "list", "--json"}).output,
        "{\"name\": \"mail\", \"paused\": true, \"concurrency\": 5, \"available\": 1, \"scheduled\": 0, \"running\": 0"
    ));
    CHECK(shell.run({"queue", "resume", "mail"}).output == "queue mail is open\n");
    shell.refuses({"queue", "pause", "male"}, 1, "did you mean mail?");
    CHECK(holds(shell.run({"worker", "list"}).output, "no workers"));
}

TEST_CASE("dead lists, shows, redrives and purges discarded jobs", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    REQUIRE(shell.run({"enqueue", "echo", "--args", "[1]"}).code == 0);
    REQUIRE(shell.run({"enqueue", "echo", "--args", "[2]"}).code == 0);
    database.psql(
        "insert into task_queue.dead_jobs (id, kind_id, queue_id, priority, attempt, max_attempts, args, error, "
        "errors, "
        "created_at) select id, kind_id, queue_id, priority, 20, max_attempts, args -> 0, 'no disk', '[]', created_at "
        "from "
        "task_queue.bundles; delete from task_queue.bundles"
    );
    CHECK(holds(shell.run({"dead", "list"}).output, "no disk"));
    CHECK(holds(shell.run({"dead", "show", "128"}).output, "discarded"));
    shell.refuses({"dead", "redrive"}, 2, "which dead letters?");
    CHECK(shell.run({"dead", "redrive", "128"}).output == "redrove 1 job\n");
    CHECK(holds(shell.run({"job", "show", "128"}).output, "available"));
    CHECK(shell.run({"dead", "purge", "--all"}).output == "purged 1 dead letter\n");
    CHECK(shell.run({"dead", "list"}).output == "no dead letters\n");
}

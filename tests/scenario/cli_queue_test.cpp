// queue, worker and dead: the real program against a real database.

#include "tests/support/catch.hpp"
#include "tests/support/cli_office.hpp"
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
    CHECK(holds(shell.run({"dead", "redrive", "128"}).output, "redrove 0 jobs; 1 of the numbers is no dead letter"));
    shell.refuses({"dead", "purge", "--all"}, 2, "dead purge would delete 1 dead letter for good: confirm with --yes");
    CHECK(shell.run({"dead", "purge", "--all", "--dry-run"}).output == "would purge 1 dead letter\n");
    CHECK(shell.run({"dead", "purge", "--all", "--yes"}).output == "purged 1 dead letter\n");
    CHECK(shell.run({"dead", "list"}).output == "no dead letters\n");
}

TEST_CASE("dead lists, redrives and purges those of a queue", "[worker][cli][scenario]") {
    const CliOffice office;
    const Shell& shell = office.shell;
    office.database.psql(
        "update task_queue.dead_jobs set queue_id = (select id from task_queue.queues where name = 'mail') "
        "where id = 384"
    );
    const std::string listed = shell.run({"dead", "list", "--queue", "mail"}).output;
    CHECK(holds(listed, "384"));
    CHECK_FALSE(holds(listed, "256"));
    CHECK(shell.run({"dead", "list", "--queue", "mails"}).output == "no dead letters\n");
    CHECK(shell.run({"dead", "purge", "--queue", "default", "--dry-run"}).output == "would purge 1 dead letter\n");
    CHECK(shell.run({"dead", "redrive", "--queue", "mail"}).output == "redrove 1 job\n");
    CHECK(shell.run({"dead", "redrive", "--queue", "mail"}).output == "no dead letters to redrive\n");
    CHECK(shell.run({"dead", "purge", "--queue", "mail"}).output == "purged 0 dead letters\n");  // asks for nothing
    CHECK(shell.run({"dead", "purge", "--queue", "mail", "--yes"}).output == "purged 0 dead letters\n");
    CHECK(shell.run({"dead", "purge", "--queue", "default", "--yes"}).output == "purged 1 dead letter\n");
}

TEST_CASE("batch redrive puts every dead letter of a batch back once, in one more round", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    database.psql(
        "select task_queue.create_batch('00000000-0000-0000-0000-000000000001', name => 'photos', on_finish => "
        "'report');"
        "select count(*) from task_queue.enqueue_many('echo', array_fill('{}'::json, array[2500]), "
        "batch_id => '00000000-0000-0000-0000-000000000001', bundle => 1);"
        "select task_queue.seal_batch('00000000-0000-0000-0000-000000000001')"
    );
    const std::string kill_all =
        "with gone as (delete from task_queue.bundles where batch_id is not null returning *) "
        "insert into task_queue.dead_jobs (id, kind_id, queue_id, priority, attempt, max_attempts, args, error, "
        "created_at, batch_id, unique_key) select id & ~64::bigint, kind_id, queue_id, priority, 1, 1, args -> 0, "
        "'no disk', created_at, batch_id, unique_key from gone;"
        "insert into task_queue.batch_changes (batch_id, discarded) "
        "values ('00000000-0000-0000-0000-000000000001', 2500)";
    database.psql(kill_all);
    // One whose key a live job has meanwhile.
    database.psql(
        "update task_queue.dead_jobs set unique_key = 'one' where id = (select max(id) from task_queue.dead_jobs);"
        "select task_queue.enqueue('echo', unique_key => 'one')"
    );
    CHECK(
        shell.run({"batch", "redrive", "photos", "--dry-run"}).output == "batch photos: 2500 jobs would be redriven\n"
    );
    const Finished none = shell.run({"batch", "redrive", "photos", "--kind", "other"});
    CHECK(none.code == 1);
    CHECK(none.output == "batch photos: no dead letters to redrive\n");
    CHECK(database.value("select count(*) from task_queue.dead_jobs") == "2500");
    CHECK(
        shell.run({"batch", "redrive", "photos"}).output ==
        "batch photos: 2499 jobs redriven; 1 left dead: a live job has the unique key, or the batch was cancelled\n"
    );
    CHECK(database.value("select count(*) from task_queue.dead_jobs") == "1");
    CHECK(database.value("select count(*) from task_queue.bundles where batch_id is not null") == "2499");
    CHECK(holds(shell.run({"batch", "redrive", "photos", "--json"}).output, "\"redriven\": [], \"left\": 1"));
}

// What a worker does with the history: adds its partitions ahead, drops the old ones, waits for no reader.
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"

#include <chrono>
#include <string>

using namespace tests;
using namespace std::chrono_literals;

TEST_CASE(
    "a reader of the history keeps no job waiting, and old history goes when it has read", "[scenario][history]"
) {
    const TestDatabase database;
    database.psql(
        "create table task_queue.finished_bundles_2020_01_01 (like task_queue.finished_bundles including all);"
        "alter table task_queue.finished_bundles attach partition task_queue.finished_bundles_2020_01_01 "
        "for values from ('2020-01-01 00:00:00+00') to ('2020-01-02 00:00:00+00')"
    );
    const std::string old = "select to_regclass('task_queue.finished_bundles_2020_01_01') is null";
    OpenTransaction reader(database, "repeatable read");
    reader.execute("select count(*) from task_queue.finished_bundles");
    WorkerProcess worker(database.url());
    worker.wait_for_line("the history is being read");
    // Maintenance goes on: a job becomes due, and a batch is counted and finished.
    database.psql(
        "select task_queue.create_batch('00000000-0000-0000-0000-000000000001');"
        "select task_queue.enqueue('noop', '{}', delay => '100 ms', batch_id => "
        "'00000000-0000-0000-0000-000000000001');"
        "select task_queue.seal_batch('00000000-0000-0000-0000-000000000001')"
    );
    database.await("select state from task_queue.batches", "finished");
    CHECK(database.value(old) == "f");
    reader.rollback();
    database.await(old, "t");
}

TEST_CASE("without retention there is no history of what anybody cancels", "[scenario][history]") {
    const TestDatabase database;
    const WorkerProcess worker(
        database.url(), {{"TASK_WORKER_RETENTION_COMPLETED", "0"}, {"TASK_WORKER_RETENTION_CANCELLED", "0"}}
    );
    const std::string id = database.value("select task_queue.enqueue('noop', delay => '1 hour')");
    CHECK(database.value("select task_queue.cancel(" + id + ")") == "cancelled");
    CHECK(database.value("select count(*) from task_queue.finished_bundles") == "0");
}

TEST_CASE("a worker adds the history's partitions for a week ahead", "[scenario][history]") {
    const TestDatabase database;
    const std::string ahead =
        "select count(*) from pg_inherits where inhparent = 'task_queue.finished_bundles'::regclass";
    const std::string all = database.value(ahead);
    database.psql(
        "do $$ declare p text; begin for p in select inhrelid::regclass from pg_inherits "
        "where inhparent = 'task_queue.finished_bundles'::regclass loop execute 'drop table ' || p; end loop; end $$"
    );
    // A result is written before there is a partition for it: it waits for one.
    const std::string id = database.value("select task_queue.enqueue('echo', '{\"a\": 1}')");
    const WorkerProcess worker(database.url());
    database.await(ahead, all);
    database.await("select state from task_queue.job(" + id + ")", "completed");
    CHECK(database.value("select count(*) from task_queue.dead_jobs") == "0");
}

TEST_CASE("an outcome that the server refuses is replaced, and those beside it are written", "[scenario][history]") {
    const TestDatabase database;
    database.psql(
        "alter table task_queue.finished_bundles add constraint ck_of_mine check (result::text not like '%refused%');"
        "select task_queue.enqueue_many('echo', array['{\"n\": 1}', '{\"n\": \"refused\"}', '{\"n\": 3}']::json[])"
    );
    WorkerProcess worker(database.url());
    worker.wait_for_line("an outcome could not be written");
    database.await("select count(*) from task_queue.jobs where state = 'completed'", "2");
    database.await(
        "select error from task_queue.dead_jobs", "the outcome could not be written; the worker's log says why"
    );
}

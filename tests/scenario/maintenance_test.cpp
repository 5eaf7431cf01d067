// What has piled up while nobody looked after it is worked off at once, by a worker that leads.
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"

#include <chrono>
#include <stdexcept>
#include <string>

using namespace tests;
using namespace std::chrono_literals;

TEST_CASE("thousands of old dead letters, keys and batches are pruned without a pause", "[scenario][maintenance]") {
    const TestDatabase database;
    database.psql(R"sql(
        insert into task_queue.dead_jobs (id, created_at, died_at, kind_id, queue_id, priority, attempt, max_attempts, error, args)
        select n, now(), now() - interval '40 days', 1, 1, 4, 1, 1, 'x', '{}' from generate_series(1, 1000) n;
        insert into task_queue.enqueue_keys (key, job_ids, created_at)
        select n, '{}', now() - interval '2 days' from generate_series(1, 10000) n;
        insert into task_queue.batches (id, state, finished_at)
        select md5(n::text)::uuid, 'finished', now() - interval '8 days' from generate_series(1, 10000) n;
    )sql");
    const WorkerProcess worker(database.url());
    database.await(
        "select (select count(*) from task_queue.dead_jobs) + (select count(*) from task_queue.enqueue_keys) + "
        "(select count(*) from task_queue.batches)",
        "0"
    );
}

TEST_CASE("a batch that a client holds keeps no other from being counted", "[scenario][maintenance][batch]") {
    const TestDatabase database;
    database.psql(R"sql(
        insert into task_queue.batches (id, state, total) values (md5('held')::uuid, 'sealed', 20000), (md5('other')::uuid, 'sealed', 1);
        insert into task_queue.batch_changes (batch_id, completed) select md5('held')::uuid, 1 from generate_series(1, 20000);
        insert into task_queue.batch_changes (batch_id, completed) values (md5('other')::uuid, 1);
    )sql");
    OpenTransaction holder(database);
    holder.execute("select from task_queue.batches where id = md5('held')::uuid for update");
    const WorkerProcess worker(database.url());
    database.await("select state from task_queue.batches where id = md5('other')::uuid", "finished");
    holder.rollback();
    database.await("select state from task_queue.batches where id = md5('held')::uuid", "finished");
}

TEST_CASE("a cancelled batch of many rows is emptied while other work goes on", "[scenario][maintenance][batch]") {
    const TestDatabase database;
    database.psql(R"sql(
        select task_queue.create_batch(id => md5('b')::uuid);
        select count(*) from task_queue.enqueue_many(
            'nobody', array_fill('{}'::json, array[30000]), batch_id => md5('b')::uuid, bundle => 1, delay => '1 hour');
        select task_queue.cancel_batch(md5('b')::uuid);
    )sql");
    const WorkerProcess worker(database.url());
    database.await("select state || ' ' || cancelled from task_queue.batches", "finished 30000");
}

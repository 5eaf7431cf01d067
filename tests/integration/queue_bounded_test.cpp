// What the leader does step by step reads and writes little, however much is behind. tests/bench/run maintenance
// measures the same on ten million rows.

#include "queue/batches.hpp"
#include "queue/retention.hpp"
#include "queue/statements.hpp"
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string>

using namespace queue;

namespace {

// Rows of a table that one call of a function reads, by whatever way.
int rows_read(const tests::QueueFixture& queue, const std::string& table, const std::string& call) {
    return std::stoi(queue.value(fmt::format(
        "select {}; select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) "
        "from pg_stat_xact_user_tables where relid = 'task_queue.{}'::regclass",
        call,
        table
    )));
}

}  // namespace

TEST_CASE("a fold reads few more changes than it takes", "[queue][batch][plans][db]") {
    const bool analyzed = GENERATE(true, false);
    INFO((analyzed ? "analyzed" : "never analyzed"));
    tests::QueueFixture queue;
    queue.database.psql(
        "insert into task_queue.batches (id, total) select md5(n::text)::uuid, 1000000 from generate_series(0, 9) n;"
        "insert into task_queue.batch_changes (batch_id, completed) "
        "select md5((n % 10)::text)::uuid, 1 from generate_series(1, 100000) n"
    );
    if (analyzed) queue.database.psql("vacuum analyze task_queue.batch_changes, task_queue.batches");
    CHECK(rows_read(queue, "batch_changes", "task_queue.fold_batch_changes(0, 1000)") < 10'000);
}

TEST_CASE("a fold goes on behind the changes of a batch that somebody holds", "[queue][batch][db]") {
    tests::QueueFixture queue;
    queue.database.psql(
        "insert into task_queue.batches (id, total) select md5(n::text)::uuid, 1000000 from generate_series(0, 1) n;"
        "insert into task_queue.batch_changes (batch_id, completed) "
        "select md5((n / 101)::text)::uuid, 1 from generate_series(1, 150) n"
    );
    tests::OpenTransaction holder(queue.database);
    holder.execute("select from task_queue.batches where id = md5('0')::uuid for update");
    const Folded first = queue.call(fold_batch_changes(queue.session, {.after = 0, .limit = 100}));
    CHECK(first.changes == 0);
    CHECK(first.more);
    const Folded second = queue.call(fold_batch_changes(queue.session, {.after = first.last_change, .limit = 100}));
    CHECK(second.changes == 50);
    CHECK_FALSE(second.more);
}

TEST_CASE("a step of cancelling takes so many rows, and so many bytes of args", "[queue][batch][cancel][db]") {
    tests::QueueFixture queue;
    queue.database.psql(
        "alter table task_queue.bundles alter args set storage external;"
        "insert into task_queue.batches (id, state, total) values (md5('b')::uuid, 'cancelled', 100)"
    );
    SECTION("rows") {
        queue.add_rows({.rows = 50, .batch = "md5('b')::uuid"});
        CHECK(queue.call(cancel_remaining_jobs(queue.session, 20)) == 20);
        CHECK(queue.call(cancel_remaining_jobs(queue.session, 20)) == 20);
        CHECK(queue.call(cancel_remaining_jobs(queue.session, 20)) == 10);
        CHECK(queue.call(cancel_remaining_jobs(queue.session, 20)) == 0);
    }
    SECTION("bytes") {
        queue.add_rows({.rows = 40, .batch = "md5('b')::uuid"});
        queue.database.psql("update task_queue.bundles set args = json_build_array(repeat('x', 1048576))");
        CHECK(queue.call(cancel_remaining_jobs(queue.session, 1000)) == 16);
        CHECK(queue.call(cancel_remaining_jobs(queue.session, 1000)) == 16);
        CHECK(queue.call(cancel_remaining_jobs(queue.session, 1000)) == 8);
    }
}

TEST_CASE("a step of pruning dead letters takes 16 MiB of args at most", "[queue][retention][db]") {
    tests::QueueFixture queue;
    queue.database.psql(R"sql(
        alter table task_queue.dead_jobs alter args set storage external;
        insert into task_queue.dead_jobs (id, created_at, died_at, kind_id, queue_id, priority, attempt, max_attempts, error, args)
        select n, now(), now() - interval '1 hour', 1, 1, 4, 1, 1, 'x', to_json(repeat('x', 1048576))
        from generate_series(1, 40) n)sql");
    for (const int rows : {16, 16, 8}) {
        const Pruned pruned = queue.call(prune_dead_jobs(queue.session, std::chrono::seconds(60), 1000));
        CHECK(pruned.rows == rows);
        CHECK(pruned.more == (rows == 16));
    }
}

// Were the others passed one by one, a look would read as many as there are; were they taken for what may go, it would
// never come past them.
TEST_CASE("a step of pruning batches does not pass those that must stay", "[queue][retention][db]") {
    tests::QueueFixture queue;
    const int days = GENERATE(8, 40);  // to be kept still; due, but for their dead letters
    queue.database.psql(fmt::format(
        R"sql(
        insert into task_queue.batches (id, finished_at, total, discarded)
        select md5(n::text)::uuid, now() - interval '{} days', 1, 1 from generate_series(1, 20000) n;
        insert into task_queue.dead_jobs (
            id, created_at, batch_id, kind_id, queue_id, priority, attempt, max_attempts, error, args
        )
        select n, now(), md5(n::text)::uuid, 1, 1, 4, 1, 1, 'x', '{{}}' from generate_series(1, 20000) n;
        insert into task_queue.batches (id, finished_at) values (md5('clean')::uuid, now() - interval '8 days')
        )sql",
        days
    ));
    const std::string prune = fmt::format(
        "select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), "
        "set_config('enable_sort', 'off', true); prepare prune as {}; execute prune(7 * 86400, 30 * 86400, 1000)",
        prune_batches_sql.sql
    );
    for (const char* const table : {"batches", "dead_jobs"}) {
        CHECK(rows_read(queue, table, "1; " + prune + "; deallocate prune") <= 2'100);
    }
    CHECK(queue.value("select count(*) from task_queue.batches") == "20000");
}

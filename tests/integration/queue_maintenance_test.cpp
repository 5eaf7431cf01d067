#include "db/error.hpp"
#include "db/transaction.hpp"
#include "queue/depth.hpp"
#include "queue/names.hpp"
#include "queue/promote.hpp"
#include "queue/retention.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <fmt/format.h>

#include <chrono>

using namespace queue;
using namespace std::chrono_literals;

namespace {

const db::Statement read_history_sql{"test_read_history", "select count(*) from task_queue.finished_bundles"};

}  // namespace

TEST_CASE("promote_jobs makes due rows available, earliest first, so many a call", "[queue][promote][db]") {
    tests::QueueFixture queue;
    queue.add_row({.state = 0, .run_at = "now() + interval '1 hour'"});
    const RowId third = queue.add_row({.state = 3, .run_at = "now() - interval '1 min'"});
    const RowId second = queue.add_row({.priority = 2, .state = 0, .run_at = "now() - interval '2 min'"});
    const RowId first = queue.add_row({.state = 0, .run_at = "now() - interval '3 min'"});
    Promoted promoted = queue.call(promote_jobs(queue.session, {}, 2));
    CHECK(promoted.rows == 2);
    CHECK(promoted.more);
    REQUIRE(promoted.lanes.size() == 2);
    for (const Refilled& lane : promoted.lanes) CHECK(lane.lowest == (lane.priority == 2 ? second : first));
    promoted = queue.call(promote_jobs(queue.session, promoted.until, 2));
    CHECK(promoted.rows == 1);
    CHECK_FALSE(promoted.more);
    REQUIRE(promoted.lanes.size() == 1);
    CHECK(promoted.lanes[0].lowest == third);
    const db::TimePoint until = promoted.until;
    promoted = queue.call(promote_jobs(queue.session, until, 2));
    CHECK(promoted.rows == 0);
    CHECK(promoted.until == until);
    CHECK(promoted.lanes.empty());
    CHECK(queue.value("select string_agg(state::text, '' order by id) from task_queue.bundles") == "0111");
}

TEST_CASE("promote_jobs starts at its cursor", "[queue][promote][db]") {
    tests::QueueFixture queue;
    queue.add_row({.state = 0, .run_at = "'2026-01-01 00:00:00.000001+00'"});
    queue.add_row({.state = 0, .run_at = "'2026-01-01 00:00:00.000002+00'"});
    const db::TimePoint after{std::chrono::sys_days{2026y / 1 / 1} + 2us};
    CHECK(queue.call(promote_jobs(queue.session, after, 10)).rows == 1);
    CHECK(queue.call(promote_jobs(queue.session, {}, 10)).rows == 1);
}

TEST_CASE("create_partitions adds the missing days, drop_partition the oldest that is past", "[queue][retention][db]") {
    tests::QueueFixture queue;
    CHECK(queue.call(create_partitions(queue.session, 7)) == 0);
    CHECK(queue.call(create_partitions(queue.session, 9)) == 2);
    CHECK_FALSE(queue.call(drop_partition(queue.session, 0s)));
    queue.database.psql(R"sql(
        create table task_queue.finished_bundles_2026_01_02 partition of task_queue.finished_bundles
        for values from ('2026-01-02 00:00:00+00') to ('2026-01-03 00:00:00+00');
        create table task_queue.finished_bundles_2026_01_01 partition of task_queue.finished_bundles
        for values from ('2026-01-01 00:00:00+00') to ('2026-01-02 00:00:00+00'))sql");
    CHECK_FALSE(queue.call(drop_partition(queue.session, 24h * 365 * 50)));
    CHECK(queue.call(drop_partition(queue.session, 24h)) == "finished_bundles_2026_01_01");
    CHECK(queue.call(drop_partition(queue.session, 24h)) == "finished_bundles_2026_01_02");
    CHECK_FALSE(queue.call(drop_partition(queue.session, 24h)));
    CHECK(
        queue.value("select count(*) from pg_inherits where inhparent = 'task_queue.finished_bundles'::regclass") ==
        "10"
    );
}

// A report that reads history for an hour must stall neither partition upkeep nor, behind it, finishing.
TEST_CASE("create_partitions passes a reader of history, drop_partition gives up at once", "[queue][retention][db]") {
    tests::QueueFixture queue;
    queue.database.psql(R"sql(
        create table task_queue.finished_bundles_2026_01_01 partition of task_queue.finished_bundles
        for values from ('2026-01-01 00:00:00+00') to ('2026-01-02 00:00:00+00'))sql");
    db::Session reader = queue.database.session(queue.context);
    db::begin(reader);
    tests::run(queue.context, [&] { return reader.execute(read_history_sql); });
    CHECK(queue.call(create_partitions(queue.session, 9)) == 2);
    std::string sqlstate;
    try {
        queue.call(drop_partition(queue.session, 24h));
    } catch (const db::Error& error) {
        sqlstate = error.sqlstate();
    }
    CHECK(sqlstate == "55P03");
    queue.add_row({});
    const WorkerId worker = queue.add_worker();
    const std::vector<FinishedRow> finished{{.row = queue.claim(worker, 1)[0].id, .claim = ClaimNumber{1}, .done = 1}};
    CHECK(queue.call(finish_jobs(queue.session, worker, finished)).empty());
    tests::run(queue.context, [&] { return db::rollback(reader); });
    CHECK(queue.call(drop_partition(queue.session, 24h)) == "finished_bundles_2026_01_01");
}

TEST_CASE("create_partitions and drop_partition work for the application's role, which owns nothing", "[queue][db]") {
    tests::QueueFixture queue;
    queue.database.psql(R"sql(
        create role test_app;
        grant usage on schema task_queue to test_app;
        grant execute on function task_queue.create_partitions(integer), task_queue.drop_partition(interval) to test_app;
        set role test_app;
        select task_queue.create_partitions(8);
        select task_queue.drop_partition(interval '1 day'))sql");
    CHECK_THROWS(queue.database.psql("set role test_app; create table task_queue.mine (n int)"));
    queue.database.psql("drop owned by test_app; drop role test_app");
}

TEST_CASE("prune functions delete what is old, so many rows a call", "[queue][retention][db]") {
    tests::QueueFixture queue;
    queue.database.psql(R"sql(
        insert into task_queue.dead_jobs (id, created_at, died_at, kind_id, queue_id, priority, attempt, max_attempts,
            error, args)
        select n, now(), now() - n * interval '1 min', 1, 1, 4, 1, 1, 'x', '{}' from generate_series(1, 5) n;
        insert into task_queue.batches (id, finished_at)
        select gen_random_uuid(), case when n < 5 then now() - n * interval '1 min' end from generate_series(1, 5) n;
        insert into task_queue.workers (id, dead_at, connections, slots, pid, host, version, kinds, queues)
        select n, case when n < 5 then now() - n * interval '1 min' end, 1, 1, 1, '', '', '{}', '{}'
        from generate_series(1, 5) n;
        insert into task_queue.enqueue_keys (key, job_ids, created_at)
        select n::text, '{}', now() - n * interval '1 min' from generate_series(1, 5) n)sql");
    queue.add_row({});
    queue.database.psql("update task_queue.bundles set state = 2, worker_id = 3");
    const auto prune_dead = [&] {
        const Pruned pruned = queue.call(prune_dead_jobs(queue.session, 90s, 3));
        return std::to_string(pruned.rows) + (pruned.more ? " and more" : "");
    };
    CHECK(prune_dead() == "3 and more");
    CHECK(prune_dead() == "1");
    CHECK(prune_dead() == "0");
    CHECK(queue.call(prune_batches(queue.session, {.clean = 90s}, 9)).rows == 3);
    CHECK(queue.call(prune_enqueue_keys(queue.session, 90s, 9)) == 4);
    CHECK(queue.call(prune_workers(queue.session, 90s, 9)) == 2);
    CHECK(queue.value("select string_agg(id::text, ' ' order by id) from task_queue.workers") == "1 3 5");
}

TEST_CASE("prune_batches leaves a batch to its dead letters and to what is not counted yet", "[queue][retention][db]") {
    tests::QueueFixture queue;
    queue.database.psql(R"sql(
        insert into task_queue.batches (id, name, finished_at, total, completed, discarded)
        select md5(name)::uuid, name, now() - age * interval '1 day', 1, 1 - discarded, discarded
        from (values ('clean', 8, 0), ('young', 6, 0), ('changed', 8, 0), ('failed', 8, 1), ('purged', 40, 1),
            ('letter', 40, 1), ('redriven', 40, 1)) b (name, age, discarded);
        insert into task_queue.dead_jobs (id, created_at, batch_id, kind_id, queue_id, priority, attempt, max_attempts,
            error, args)
        values (1, now(), md5('letter')::uuid, 1, 1, 4, 1, 1, 'x', '{}');
        insert into task_queue.batch_changes (batch_id, discarded)
        values (md5('changed')::uuid, 0), (md5('redriven')::uuid, -1))sql");
    const BatchRetention keep{.clean = 7 * 24h, .dead_jobs = 30 * 24h};
    const auto left = [&] { return queue.value("select string_agg(name, ' ' order by name) from task_queue.batches"); };
    CHECK(queue.call(prune_batches(queue.session, keep, 9)).rows == 2);
    CHECK(left() == "changed failed letter redriven young");
    queue.database.psql("truncate task_queue.dead_jobs, task_queue.batch_changes");
    CHECK(queue.call(prune_batches(queue.session, keep, 2)).rows == 2);
    CHECK(queue.call(prune_batches(queue.session, keep, 2)).rows == 1);
    CHECK(left() == "failed young");
    CHECK(queue.call(prune_batches(queue.session, {.clean = 7 * 24h}, 9)).rows == 1);
    CHECK(left() == "young");
}

TEST_CASE("prune_batches says that there is more behind what must stay for a moment", "[queue][retention][db]") {
    tests::QueueFixture queue;
    const bool failed = GENERATE(false, true);
    CAPTURE(failed);
    queue.database.psql(fmt::format(
        R"sql(
        insert into task_queue.batches (id, finished_at, total, discarded)
        select md5(n::text)::uuid, now() - n * interval '1 day', 1, {} from generate_series(2, 7) n;
        insert into task_queue.batch_changes (batch_id, completed) values (md5('7')::uuid, 0))sql",
        failed ? 1 : 0
    ));
    const auto prune = [&] {
        const Pruned pruned = queue.call(prune_batches(queue.session, {.clean = 24h}, 3));
        return std::to_string(pruned.rows) + (pruned.more ? " and more" : "");
    };
    CHECK(prune() == "2 and more");
    CHECK(prune() == "2 and more");
    CHECK(prune() == "1");
    CHECK(prune() == "0");
    queue.database.psql(R"sql(
        insert into task_queue.batch_changes (batch_id, completed) select md5(n::text)::uuid, 0
        from generate_series(8, 9) n;
        insert into task_queue.batches (id, finished_at)
        select md5(n::text)::uuid, now() - n * interval '1 day' from generate_series(8, 9) n)sql");
    CHECK(prune() == "0");  // though it found as many as it may: none of them can go yet
    queue.database.psql("truncate task_queue.batch_changes");
    CHECK(prune() == "3 and more");
    CHECK(prune() == "0");
}

TEST_CASE("intern_kinds and declare_queues keep the numbers of names", "[queue][names][db]") {
    tests::QueueFixture queue;
    const std::vector<NewKind> kinds{{.name = "b"}, {.name = "a", .bundle = 1}};
    const auto interned = queue.call(intern_kinds(queue.session, kinds));
    REQUIRE(interned.size() == 2);
    CHECK(interned[0].name == "b");
    const auto again = queue.call(intern_kinds(queue.session, kinds));
    CHECK(again[0].id == interned[0].id);
    CHECK(again[1].id == interned[1].id);
    CHECK(queue.value("select task_queue.intern_kind('a')") == std::to_string(static_cast<int>(interned[1].id)));
    CHECK(queue.call(read_kinds(queue.session)).size() == 2);
    CHECK(queue.value("select bundle from task_queue.kinds where name = 'a'") == "1");

    auto queues = queue.call(read_queues(queue.session));
    REQUIRE(queues.size() == 1);
    CHECK(queues[0].name == "default");
    CHECK(queues[0].id == QueueId{1});
    const std::vector<QueueDeclaration> declared{
        {.name = "slow", .concurrency = 2, .paused = true}, {.name = "default"}
    };
    queues = queue.call(declare_queues(queue.session, declared));
    REQUIRE(queues.size() == 2);
    CHECK(queues[0].name == "slow");
    CHECK(queues[0].concurrency == 2);
    CHECK(queues[0].paused);
    CHECK_FALSE(queues[1].paused);
    const std::vector<QueueDeclaration> later{{.name = "slow"}, {.name = "default", .paused = true}};
    queues = queue.call(declare_queues(queue.session, later));
    CHECK(queues[0].paused);
    CHECK_FALSE(queues[0].concurrency);
    CHECK(queues[1].paused);
    CHECK(queues[1].id == QueueId{1});
}

TEST_CASE("read_depth counts jobs by queue, up to a bound", "[queue][depth][db]") {
    tests::QueueFixture queue;
    const std::vector<QueueDeclaration> declared{{.name = "other"}};
    queue.call(declare_queues(queue.session, declared));
    queue.add_row({.jobs = 3, .priority = 4, .run_at = "now() - interval '10 min'"});
    queue.add_row({.jobs = 2, .priority = 0});
    queue.add_row({.state = 4, .rescues = 2});
    queue.add_rows({.rows = 2, .jobs = 5, .state = 0, .run_at = "now() + interval '1 h'"});
    queue.add_row({.jobs = 6, .state = 3, .run_at = "now() + interval '2 h'"});
    queue.add_row({.jobs = 7, .priority = 9});
    const WorkerId worker = queue.add_worker();
    queue.claim(worker, 4, 9);
    const std::vector<LaneCursor> lanes{{.queue = QueueId{1}, .priority = 0}, {.queue = QueueId{1}, .priority = 4}};
    auto depths = queue.call(read_depth(queue.session, lanes, 100));
    REQUIRE(depths.size() == 2);
    CHECK(depths[0].available == 6);
    CHECK(depths[0].scheduled == 10);
    CHECK(depths[0].retryable == 6);
    CHECK(depths[0].running == 4);
    CHECK_FALSE(depths[0].bounded);
    REQUIRE(depths[0].oldest);
    CHECK(*depths[0].oldest >= 10min);
    CHECK(*depths[0].oldest < 11min);
    CHECK(depths[1].available == 0);
    CHECK_FALSE(depths[1].oldest);
    depths = queue.call(read_depth(queue.session, lanes, 1));
    CHECK(depths[0].scheduled == 5);
    CHECK(depths[0].retryable == 0);
    CHECK(depths[0].bounded);
}

TEST_CASE("read_depth counts fewer rows of each lane where there are many lanes", "[queue][depth][db]") {
    tests::QueueFixture queue;
    queue.database.psql("insert into task_queue.queues (name) select 'q' || n from generate_series(1, 3) n");
    std::vector<LaneCursor> lanes;
    for (int number = 1; number <= 4; ++number) {
        for (std::int16_t priority = 0; priority <= 9; ++priority) {
            queue.add_rows({.rows = 10, .queue = number, .priority = priority});
            lanes.push_back({.queue = QueueId{static_cast<std::int16_t>(number)}, .priority = priority});
        }
    }
    std::int64_t counted = 0;
    for (const QueueDepth& depth : queue.call(read_depth(queue.session, lanes, 8))) {
        CHECK(depth.bounded);
        counted += depth.available;
    }
    CHECK(counted == 10 * 8);
}

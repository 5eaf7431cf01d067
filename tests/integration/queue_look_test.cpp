// What a worker learns by its one question a second.

#include "queue/batches.hpp"
#include "queue/dead.hpp"
#include "queue/leader.hpp"
#include "queue/progress.hpp"
#include "queue/release.hpp"
#include "queue/retention.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <fmt/format.h>

#include <chrono>

using namespace queue;
using namespace std::chrono_literals;

namespace {

Look look_as(tests::QueueFixture& queue, WorkerId worker, RowId after = {}) {
    return queue.call(look(queue.session, {.worker = worker, .lease = 1h, .after = after}));
}

// What a session that listens to wake-ups has heard until now.
std::vector<std::string> heard(tests::QueueFixture& queue, db::Session& listener) {
    queue.database.psql("notify task_queue_wake, 'mark'");
    std::vector<std::string> payloads;
    do {
        payloads.push_back(
            tests::run(queue.context, [&] { return listener.connection().wait_notification(); }).value().payload
        );
    } while (payloads.back() != "mark");
    payloads.pop_back();
    return payloads;
}

db::Session listen_for_wakes(tests::QueueFixture& queue) {
    db::Session listener = queue.database.direct_session(queue.context);
    tests::run(queue.context, [&] { return listener.run_script("listen task_queue_wake", 5s); });
    return listener;
}

}  // namespace

TEST_CASE("look answers the beats of those that live to everybody, and the rest to the leader", "[queue][look][db]") {
    tests::QueueFixture queue;
    const WorkerId leader = queue.add_worker();
    const WorkerId other = queue.add_worker();
    queue.kill(queue.add_worker());
    queue.call(record_heartbeat(queue.session, other));
    queue.add_row({});
    const Look led = look_as(queue, leader);
    CHECK(led.leads);
    CHECK(led.last == RowId{128});
    for (const Look& look : {led, look_as(queue, other)}) {
        REQUIRE(look.beats.size() == 2);
        for (const SeenBeat& seen : look.beats) CHECK(seen.beat == (seen.worker == other ? 1 : 0));
        CHECK(look.connections == 10);
        CHECK_FALSE(look.next_run);
        CHECK_FALSE(look.changes);
        CHECK_FALSE(look.batches);
        CHECK_FALSE(look.rescues);
    }
    CHECK_FALSE(look_as(queue, other).leads);
}

TEST_CASE("look renews the lead in the second half of its lease and writes nothing before", "[queue][look][db]") {
    tests::QueueFixture queue;
    const WorkerId leader = queue.add_worker();
    look_as(queue, leader);
    const std::string version = queue.value("select xmin from task_queue.leaders");
    CHECK(look_as(queue, leader).leads);
    CHECK_FALSE(look_as(queue, queue.add_worker()).leads);
    CHECK(queue.value("select xmin || ' ' || xmax from task_queue.leaders") == version + " 0");
    queue.database.psql("update task_queue.leaders set expires_at = now() + interval '29 min'");
    CHECK(look_as(queue, leader).leads);
    CHECK(queue.value("select expires_at > now() + interval '50 min' from task_queue.leaders") == "t");
}

TEST_CASE("look tells the leader what there is to do", "[queue][look][db]") {
    tests::QueueFixture queue;
    const WorkerId leader = queue.add_worker();
    SECTION("a job that is due, or will be") {
        queue.add_row({.state = 0, .run_at = "now() + interval '1 hour'"});
        const auto next = look_as(queue, leader).next_run;
        REQUIRE(next);
        CHECK(*next > 50min);
        CHECK(*next <= 1h);
        queue.add_row({.state = 3, .run_at = "now() - interval '1 min'"});
        CHECK(look_as(queue, leader).next_run < 0ms);
    }
    SECTION("changes of a batch") {
        queue.database.psql("insert into task_queue.batch_changes (batch_id, total) values (gen_random_uuid(), 1)");
        CHECK(look_as(queue, leader).changes);
        CHECK_FALSE(look_as(queue, leader).batches);
    }
    SECTION("a batch to be sealed") {
        queue.database.psql("select task_queue.create_batch(seal_after => interval '1 hour')");
        CHECK_FALSE(look_as(queue, leader).batches);
        queue.database.psql("update task_queue.batches set seal_after = now() - interval '1 s'");
        CHECK(look_as(queue, leader).batches);
        CHECK(queue.call(seal_due_batches(queue.session, 10)) == 1);
        CHECK_FALSE(look_as(queue, leader).batches);
    }
    SECTION("a cancelled batch") {
        queue.database.psql("select task_queue.cancel_batch(task_queue.create_batch())");
        CHECK(look_as(queue, leader).batches);
    }
    SECTION("jobs of a dead worker") {
        const WorkerId dead = queue.add_worker();
        queue.add_row({});
        queue.claim(dead, 1);
        CHECK_FALSE(look_as(queue, leader).rescues);
        queue.kill(dead);
        CHECK(look_as(queue, leader).rescues);
    }
}

TEST_CASE("look looks for due jobs and changes from where it is told", "[queue][look][db]") {
    tests::QueueFixture queue;
    const WorkerId leader = queue.add_worker();
    queue.add_row({.state = 3, .run_at = "now() - interval '1 min'"});
    queue.add_row({.state = 0, .run_at = "now() + interval '1 hour'"});
    queue.database.psql("insert into task_queue.batch_changes (batch_id, total) values (gen_random_uuid(), 1)");
    const db::TimePoint now = std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    const Look behind = queue.call(look(queue.session, {leader, 1h, {}, now - 2min, 0}));
    CHECK(behind.next_run < 0ms);
    CHECK(behind.changes);
    const Look past = queue.call(look(queue.session, {leader, 1h, {}, now, 1}));
    REQUIRE(past.next_run);
    CHECK(*past.next_run > 50min);
    CHECK_FALSE(past.changes);
}

TEST_CASE("look wakes workers for rows that came late, and nobody for older ones", "[queue][look][db]") {
    if (tests::skipped_without_direct("LISTEN takes a connection that is nobody else's")) return;
    tests::QueueFixture queue;
    const WorkerId leader = queue.add_worker();
    const RowId row = queue.add_row({.priority = 7});
    db::Session listener = listen_for_wakes(queue);
    look_as(queue, leader);
    CHECK(heard(queue, listener).empty());  // nobody waits
    queue.database.psql("update task_queue.workers set hungry = true");
    look_as(queue, leader, row);
    CHECK(heard(queue, listener).empty());
    look_as(queue, leader);
    CHECK(heard(queue, listener) == std::vector<std::string>{"default"});
    queue.database.psql("update task_queue.queues set paused = true");
    look_as(queue, leader);
    CHECK(heard(queue, listener).empty());
}

TEST_CASE("a worker without a list of queues is woken for each", "[queue][look][db]") {
    if (tests::skipped_without_direct("LISTEN takes a connection that is nobody else's")) return;
    tests::QueueFixture queue;
    queue.add_worker();
    queue.database.psql(
        "insert into task_queue.queues (name) values ('new'); update task_queue.workers set hungry = true"
    );
    db::Session listener = listen_for_wakes(queue);
    queue.database.psql("select task_queue.enqueue('k', '{}', queue => 'new')");
    CHECK(heard(queue, listener).empty());
    queue.database.psql("update task_queue.workers set queues = '{}'");
    queue.database.psql("select task_queue.enqueue('k', '{}', queue => 'new')");
    CHECK(heard(queue, listener) == std::vector<std::string>{"new"});
}

TEST_CASE("redrive_dead_jobs wakes workers of the queue", "[queue][dead][db]") {
    if (tests::skipped_without_direct("LISTEN takes a connection that is nobody else's")) return;
    tests::QueueFixture queue;
    queue.add_worker();
    queue.database.psql(R"sql(
        update task_queue.workers set hungry = true;
        insert into task_queue.dead_jobs (id, created_at, kind_id, queue_id, priority, attempt, max_attempts, error, args)
        values (128, now(), task_queue.intern_kind('k'), 1, 4, 20, 20, 'x', '{}'))sql");
    db::Session listener = listen_for_wakes(queue);
    CHECK(queue.call(redrive_dead_jobs(queue.session, {})) == std::vector<JobId>{JobId{128}});
    CHECK(heard(queue, listener) == std::vector<std::string>{"default"});
    CHECK(queue.call(redrive_dead_jobs(queue.session, {})).empty());
    CHECK(heard(queue, listener).empty());
}

// What became available again while it was this worker's is perhaps for another, which waits.
TEST_CASE(
    "finish_jobs wakes workers for what is available again at once, and for nothing else", "[queue][finish][db]"
) {
    if (tests::skipped_without_direct("LISTEN takes a connection that is nobody else's")) return;
    tests::QueueFixture queue;
    const WorkerId worker = queue.add_worker();
    queue.add_row({.jobs = 6});
    REQUIRE(queue.claim(worker, 6).size() == 1);
    queue.database.psql("update task_queue.workers set hungry = true");
    db::Session listener = listen_for_wakes(queue);
    const auto finish = [&](FinishedRow row) {
        row.row = RowId{128};
        row.claim = ClaimNumber{1};
        CHECK(queue.call(finish_jobs(queue.session, worker, std::vector{row})).empty());
        return heard(queue, listener);
    };
    const std::vector<std::string> woken{"default"};
    CHECK(finish({.leavers = {{.n = 0, .as = Leave::retry, .payload = "x"}}}) == woken);
    CHECK(finish({.leavers = {{.n = 1, .as = Leave::snooze}}}) == woken);
    CHECK(finish({.leavers = {{.n = 2, .as = Leave::retry, .payload = "x", .after = 1h}}}).empty());
    CHECK(finish({.done = bit(3), .leavers = {{.n = 4, .as = Leave::discard, .payload = "x"}}}).empty());
    queue.database.psql("update task_queue.bundles set cancel_requested = pending where id = 128");
    CHECK(finish({.leavers = {{.n = 5, .as = Leave::retry, .payload = "x"}}}).empty());
}

TEST_CASE("release_claims wakes workers of the queues of what went back", "[queue][release][db]") {
    if (tests::skipped_without_direct("LISTEN takes a connection that is nobody else's")) return;
    tests::QueueFixture queue;
    const WorkerId worker = queue.add_worker();
    queue.add_rows({.rows = 2});
    REQUIRE(queue.claim(worker, 2).size() == 2);
    queue.database.psql("update task_queue.workers set hungry = true");
    db::Session listener = listen_for_wakes(queue);
    const std::vector claims{ClaimNumber{1}};
    CHECK(queue.call(release_claims(queue.session, worker, claims)) == 2);
    CHECK(heard(queue, listener) == std::vector<std::string>{"default"});
    CHECK(queue.call(release_claims(queue.session, worker, claims)) == 0);
    CHECK(heard(queue, listener).empty());
}

TEST_CASE("any change of a queue is told to those who listen", "[queue][look][db]") {
    if (tests::skipped_without_direct("LISTEN takes a connection that is nobody else's")) return;
    tests::QueueFixture queue;
    db::Session listener = queue.database.direct_session(queue.context);
    tests::run(queue.context, [&] { return listener.run_script("listen task_queue_queues", 5s); });
    for (const char* change :
         {"insert into task_queue.queues (name) values ('new')",
          "update task_queue.queues set paused = true",
          "delete from task_queue.queues where name = 'new'"}) {
        queue.database.psql(change);
        CHECK(tests::run(queue.context, [&] { return listener.connection().wait_notification(5s); }));
    }
}

// A report that met the finish of its job, on its way from another session, is written after the flush looked.
TEST_CASE("prune_task_progress deletes reports of jobs that do not run", "[queue][retention][db]") {
    tests::QueueFixture queue;
    const WorkerId worker = queue.add_worker();
    queue.add_rows({.rows = 2, .jobs = 3});
    REQUIRE(queue.claim(worker, 3).size() == 1);  // jobs 128 to 130
    queue.database.psql(
        "insert into task_queue.task_progress (job_id, updated_at) select id, now() - interval '2 min' from "
        "unnest('{128, 130, 131, 256, 9999}'::bigint[]) id;"
        "insert into task_queue.task_progress (job_id) values (257)"
    );
    CHECK(queue.call(prune_task_progress(queue.session, 60s, 2)) == 2);
    CHECK(queue.call(prune_task_progress(queue.session, 60s, 2)) == 1);
    CHECK(queue.call(prune_task_progress(queue.session, 60s, 2)) == 0);
    CHECK(
        queue.value("select string_agg(job_id::text, ' ' order by job_id) from task_queue.task_progress") ==
        "128 130 257"
    );
}

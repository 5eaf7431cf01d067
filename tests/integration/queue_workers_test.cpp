#include "queue/handlers.hpp"
#include "queue/leader.hpp"
#include "queue/workers.hpp"
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

using namespace queue;
using namespace std::chrono_literals;

TEST_CASE("register_worker gives an id that was never used, even after the worker is gone", "[queue][workers][db]") {
    tests::QueueFixture queue;
    const WorkerId first = queue.add_worker();
    queue.database.psql("delete from task_queue.workers");
    CHECK(queue.add_worker() > first);
    const auto workers = queue.call(read_workers(queue.session));
    REQUIRE(workers.size() == 1);
    CHECK(workers[0].connections == 5);
    CHECK(workers[0].slots == 10);
    CHECK(workers[0].pid == 1);
    CHECK(workers[0].host == "here");
    CHECK(workers[0].version == "0");
    CHECK(workers[0].kinds == std::vector<std::string>{"test"});
    CHECK(workers[0].queues == std::vector<std::string>{"default"});
    CHECK(workers[0].beat == 0);
    CHECK_FALSE(workers[0].hungry);
    CHECK_FALSE(workers[0].stopped);
    CHECK_FALSE(workers[0].dead_at);
}

TEST_CASE("record_heartbeat counts beats and tells whom to stop", "[queue][workers][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 2, .jobs = 4});
    const WorkerId worker = queue.add_worker();
    const WorkerId other = queue.add_worker();
    queue.claim(worker, 4);
    queue.claim(other, 4);
    Heartbeat beat = queue.call(record_heartbeat(queue.session, worker));
    CHECK(beat.alive);
    CHECK(beat.cancels.empty());
    queue.database.psql("update task_queue.bundles set cancel_requested = 6");
    beat = queue.call(record_heartbeat(queue.session, worker));
    CHECK(beat.alive);
    REQUIRE(beat.cancels.size() == 1);
    CHECK(beat.cancels[0].row == RowId{128});
    CHECK(beat.cancels[0].claim == ClaimNumber{1});
    CHECK(beat.cancels[0].jobs == 6);
    CHECK(queue.value("select beat from task_queue.workers order by id limit 1") == "2");
}

TEST_CASE("record_heartbeat does not bring a dead worker back", "[queue][workers][db]") {
    tests::QueueFixture queue;
    const WorkerId worker = queue.add_worker();
    queue.kill(worker);
    CHECK_FALSE(queue.call(record_heartbeat(queue.session, worker)).alive);
    CHECK_FALSE(queue.call(record_heartbeat(queue.session, WorkerId{999})).alive);
    CHECK(queue.value("select beat || ' ' || (dead_at is not null) from task_queue.workers") == "0 true");
}

TEST_CASE("declare_dead spares a worker whose beat has moved", "[queue][workers][db]") {
    tests::QueueFixture queue;
    const WorkerId silent = queue.add_worker();
    const WorkerId beating = queue.add_worker();
    queue.call(record_heartbeat(queue.session, beating));
    const std::vector<SeenBeat> seen{{silent, 0}, {beating, 0}};
    CHECK(queue.call(declare_dead(queue.session, seen)) == std::vector<WorkerId>{silent});
    CHECK(queue.call(declare_dead(queue.session, seen)).empty());
    CHECK(queue.call(record_heartbeat(queue.session, beating)).alive);
    CHECK_FALSE(queue.call(record_heartbeat(queue.session, silent)).alive);
}

TEST_CASE("declare_dead passes over a worker whose row is locked", "[queue][workers][db]") {
    tests::QueueFixture queue;
    const WorkerId held = queue.add_worker();
    const WorkerId silent = queue.add_worker();
    tests::OpenTransaction holder(queue.database);
    holder.execute(fmt::format("select from task_queue.workers where id = {} for update", static_cast<int>(held)));
    const std::vector<SeenBeat> seen{{held, 0}, {silent, 0}};
    CHECK(queue.call(declare_dead(queue.session, seen)) == std::vector<WorkerId>{silent});
    holder.commit();
    CHECK(queue.call(declare_dead(queue.session, seen)) == std::vector<WorkerId>{held});
}

TEST_CASE("set_hungry and retire_worker change what others see of a worker", "[queue][workers][db]") {
    tests::QueueFixture queue;
    const WorkerId worker = queue.add_worker();
    queue.call(set_hungry(queue.session, worker, true));
    CHECK(queue.call(read_workers(queue.session))[0].hungry);
    queue.call(retire_worker(queue.session, worker));
    const Worker retired = queue.call(read_workers(queue.session))[0];
    CHECK(retired.stopped);
    CHECK(retired.dead_at);
    CHECK_FALSE(retired.hungry);
    CHECK_FALSE(queue.call(record_heartbeat(queue.session, worker)).alive);
}

TEST_CASE("look has one leader at a time", "[queue][leader][db]") {
    tests::QueueFixture queue;
    const WorkerId one = queue.add_worker();
    const WorkerId other = queue.add_worker();
    const auto takes = [&](WorkerId worker) {
        return queue.call(look(queue.session, {.worker = worker, .lease = 1h})).leads;
    };
    CHECK(takes(one));
    CHECK_FALSE(takes(other));
    const std::string elected = queue.value("select elected_at from task_queue.leaders");
    CHECK(takes(one));
    CHECK(queue.value("select elected_at from task_queue.leaders") == elected);
    SECTION("until its lease ends") {
        queue.database.psql("update task_queue.leaders set expires_at = now() - interval '1 ms'");
        CHECK(takes(other));
        CHECK_FALSE(takes(one));
        CHECK(queue.value("select elected_at from task_queue.leaders") != elected);
    }
    SECTION("until it yields") {
        queue.call(yield_leadership(queue.session, other));
        CHECK_FALSE(takes(other));
        queue.call(yield_leadership(queue.session, one));
        CHECK(takes(other));
    }
    SECTION("and never a dead one") {
        queue.kill(one);
        CHECK_FALSE(takes(one));
    }
}

TEST_CASE("find_handlers tells which kinds a live worker of the queue has", "[queue][workers][db]") {
    tests::QueueFixture queue;
    queue.database.psql(
        "insert into task_queue.queues (name) values ('other'); "
        "select task_queue.intern_kind('theirs'), task_queue.intern_kind('of the dead'), "
        "task_queue.intern_kind('nobody''s')"
    );
    queue.database.psql(
        "insert into task_queue.workers (connections, slots, pid, host, version, kinds, queues, dead_at) values "
        "(1, 1, 1, '', '', '{theirs}', '{default}', null), (1, 1, 1, '', '', '{of the dead}', '{}', now())"
    );
    const std::vector<KindInQueue> asked{
        {KindId{1}, QueueId{1}},
        {KindId{1}, QueueId{2}},
        {KindId{2}, QueueId{1}},
        {KindId{3}, QueueId{1}},
        {KindId{9}, QueueId{1}}
    };
    std::string text;
    auto answers = tests::run(queue.context, [&] { return find_handlers(queue.session, asked); });
    std::ranges::sort(answers, {}, &Handlers::of);
    for (const Handlers& one : answers)
        text += fmt::format("{}@{} {}; ", one.kind, static_cast<int>(one.of.queue), one.any_live);
    CHECK(text == "theirs@1 true; theirs@2 false; of the dead@1 false; nobody's@1 false; ");
    queue.database.psql("update task_queue.workers set queues = '{}'");
    const std::vector elsewhere{asked[1]};
    const auto found = tests::run(queue.context, [&] { return find_handlers(queue.session, elsewhere); });
    CHECK(found.at(0).any_live);
}

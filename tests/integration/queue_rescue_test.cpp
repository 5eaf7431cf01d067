#include "queue/release.hpp"
#include "queue/rescue.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <fmt/format.h>

using namespace queue;

namespace {

const std::string batch_a = "'00000000-0000-0000-0000-00000000000a'";

std::vector<Unstarted> release(tests::QueueFixture& queue, WorkerId worker, const std::vector<Unstarted>& unstarted) {
    return queue.call(release_jobs(queue.session, worker, unstarted));
}

std::optional<Bundle> claim_one_suspect(tests::QueueFixture& queue, WorkerId worker) {
    ClaimRequest request;
    request.worker = worker;
    request.claim = ClaimNumber{++queue.claims};
    request.lanes = {{.queue = QueueId{1}}};
    return queue.call(claim_suspect(queue.session, request));
}

}  // namespace

TEST_CASE("release_jobs puts a whole row back and refunds its attempt", "[queue][release][db]") {
    tests::QueueFixture queue;
    const RowId row = queue.add_row({.jobs = 3});
    const WorkerId worker = queue.add_worker();
    queue.claim(worker, 3);
    const auto back = release(queue, worker, {{.row = row, .claim = ClaimNumber{1}, .jobs = 7}});
    REQUIRE(back.size() == 1);
    CHECK(back[0].jobs == 7);
    CHECK(queue.live_rows() == "128:7/7 1 0");
    const auto again = queue.claim(worker, 3);
    REQUIRE(again.size() == 1);
    CHECK(again[0].attempt == 1);
}

TEST_CASE("release_jobs splits the tail off a row whose other jobs go on", "[queue][release][db]") {
    tests::QueueFixture queue;
    const RowId row = queue.add_row({.jobs = 10});
    const WorkerId worker = queue.add_worker();
    queue.claim(worker, 10);
    queue.database.psql("update task_queue.bundles set cancel_requested = x'81'::bigint");
    queue.call(finish_jobs(
        queue.session, worker, std::vector<FinishedRow>{{.row = row, .claim = ClaimNumber{1}, .done = 0b100101}}
    ));
    // Jobs 1 and 3 run, 4 6 7 8 9 were not started.
    const auto back = release(queue, worker, {{.row = row, .claim = ClaimNumber{1}, .jobs = 0b1111110000}});
    REQUIRE(back.size() == 1);
    CHECK(back[0].jobs == 0b1111010000);
    CHECK(queue.live_rows() == "128:2f/a 2 1; 132:3d0/3d0 1 0");
    CHECK(
        queue.value("select string_agg(to_hex(cancel_requested), ' ' order by id) from task_queue.bundles") == "0 80"
    );
    CHECK(queue.holds(10));
    SECTION("and a second release is as good") {
        release(queue, worker, {{.row = row, .claim = ClaimNumber{1}, .jobs = 0b1000}});
        CHECK(queue.live_rows() == "128:27/2 2 1; 131:8/8 1 0; 132:3d0/3d0 1 0");
        CHECK(queue.holds(10));
    }
}

TEST_CASE(
    "release_jobs keeps what is not the tail, and gives nothing of a lease that is lost", "[queue][release][db]"
) {
    tests::QueueFixture queue;
    const RowId row = queue.add_row({.jobs = 4});
    const WorkerId worker = queue.add_worker();
    queue.claim(worker, 4);
    const auto back = release(queue, worker, {{.row = row, .claim = ClaimNumber{1}, .jobs = 0b1011}});
    REQUIRE(back.size() == 1);
    CHECK(back[0].jobs == 0b1000);
    CHECK(queue.live_rows() == "128:7/7 2 1; 131:8/8 1 0");
    CHECK(release(queue, worker, {{.row = row, .claim = ClaimNumber{2}, .jobs = 7}}).empty());
    CHECK(release(queue, queue.add_worker(), {{.row = row, .claim = ClaimNumber{1}, .jobs = 7}}).empty());
    CHECK(release(queue, worker, {}).empty());
    CHECK(queue.live_rows() == "128:7/7 2 1; 131:8/8 1 0");
    CHECK(queue.holds(4));
}

TEST_CASE("rescue_jobs puts a dead worker's jobs back at once, attempt refunded", "[queue][rescue][db]") {
    tests::QueueFixture queue;
    const RowId row = queue.add_row({.jobs = 5});
    queue.add_row({.jobs = 2});
    const WorkerId dead = queue.add_worker();
    const WorkerId alive = queue.add_worker();
    queue.claim(dead, 5);
    queue.claim(alive, 2);
    queue.call(
        finish_jobs(queue.session, dead, std::vector<FinishedRow>{{.row = row, .claim = ClaimNumber{1}, .done = 0b10}})
    );
    queue.database.psql("insert into task_queue.task_progress (job_id) values (128), (256)");
    CHECK(queue.call(rescue_jobs(queue.session, 10)).rows == 0);
    queue.kill(dead);
    const Rescued rescued = queue.call(rescue_jobs(queue.session, 10));
    CHECK(rescued.rows == 1);
    CHECK(rescued.jobs == 4);
    CHECK(rescued.suspects == 0);
    CHECK(queue.live_rows() == "128:1f/1d 1 0; 256:3/3 2 1");
    CHECK(queue.value("select string_agg(job_id::text, ',') from task_queue.task_progress") == "256");
    CHECK(queue.call(rescue_jobs(queue.session, 10)).rows == 0);
    CHECK(queue.holds(7));
    SECTION("and what the dead worker still writes is lost") {
        const std::vector<FinishedRow> late{{.row = row, .claim = ClaimNumber{1}, .done = 1}};
        CHECK(queue.call(finish_jobs(queue.session, dead, late)) == std::vector<RowId>{row});
        CHECK(release(queue, dead, {{.row = row, .claim = ClaimNumber{1}, .jobs = 1}}).empty());
        CHECK(queue.live_rows() == "128:1f/1d 1 0; 256:3/3 2 1");
    }
}

TEST_CASE("rescue_jobs takes a bounded number of rows a call", "[queue][rescue][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 7});
    const WorkerId dead = queue.add_worker();
    const WorkerId other = queue.add_worker();
    queue.claim(dead, 4);
    queue.claim(other, 3);
    queue.kill(dead);
    queue.kill(other);
    std::vector<int> rows;
    for (int call = 0; call < 4; ++call) rows.push_back(queue.call(rescue_jobs(queue.session, 3)).rows);
    CHECK(rows == std::vector<int>{3, 3, 1, 0});
    CHECK(queue.value("select count(*) from task_queue.bundles where state = 1") == "7");
}

TEST_CASE("rescue_jobs finds what a worker claimed before and committed after it was visited", "[queue][rescue][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 2});
    const WorkerId dead = queue.add_worker();
    queue.claim(dead, 1);
    queue.kill(dead);
    CHECK(queue.call(rescue_jobs(queue.session, 10)).rows == 1);
    // Its last claim, begun before it was declared dead.
    queue.database.psql(
        fmt::format("update task_queue.bundles set state = 2, worker_id = {} where id = 256", static_cast<long>(dead))
    );
    CHECK(queue.call(rescue_jobs(queue.session, 10)).rows == 1);
    CHECK(queue.value("select count(*) from task_queue.bundles where state = 1") == "2");
}

TEST_CASE("rescue_jobs makes suspects of the jobs of a row that it rescues again", "[queue][rescue][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 5, .rescues = 1});
    const WorkerId dead = queue.add_worker();
    queue.claim(dead, 5);
    queue.call(finish_jobs(
        queue.session, dead, std::vector<FinishedRow>{{.row = RowId{128}, .claim = ClaimNumber{1}, .done = 0b101}}
    ));
    queue.kill(dead);
    const Rescued rescued = queue.call(rescue_jobs(queue.session, 10));
    CHECK(rescued.rows == 1);
    CHECK(rescued.jobs == 3);
    CHECK(rescued.suspects == 3);
    CHECK(queue.live_rows() == "128:7/2 4 0; 131:8/8 4 0; 132:10/10 4 0");
    CHECK(queue.value("select min(rescues) || ' ' || max(rescues) from task_queue.bundles") == "2 2");
    CHECK(queue.holds(5));
    const WorkerId worker = queue.add_worker();
    const auto suspect = claim_one_suspect(queue, worker);
    REQUIRE(suspect);
    CHECK(suspect->id == RowId{128});
    SECTION("an outcome takes the strike back") {
        const std::vector<FinishedRow> retried{
            {.row = suspect->id,
             .claim = ClaimNumber{queue.claims},
             .leavers = {{.n = 1, .as = Leave::retry, .payload = "failed"}}}
        };
        CHECK(queue.call(finish_jobs(queue.session, worker, retried)).empty());
        CHECK(queue.live_rows() == "131:8/8 4 0; 132:10/10 4 0; 193:2/2 1 1");
        CHECK(queue.value("select max(strikes) from task_queue.bundles") == "0");
        CHECK(queue.holds(5));
    }
    SECTION("a release takes the strike back") {
        release(queue, worker, {{.row = suspect->id, .claim = ClaimNumber{queue.claims}, .jobs = 2}});
        CHECK(queue.live_rows() == "128:7/2 1 0; 131:8/8 4 0; 132:10/10 4 0");
        CHECK(queue.value("select max(strikes) from task_queue.bundles") == "0");
    }
}

TEST_CASE("rescue_jobs quarantines only the job that struck three workers", "[queue][rescue][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 2, .rescues = 1, .batch = batch_a});
    const WorkerId first = queue.add_worker();
    queue.claim(first, 2);
    queue.kill(first);
    CHECK(queue.call(rescue_jobs(queue.session, 10)).suspects == 2);
    for (int strike = 1; strike <= 3; ++strike) {
        const WorkerId victim = queue.add_worker();
        const auto suspect = claim_one_suspect(queue, victim);
        REQUIRE(suspect);
        CHECK(suspect->id == RowId{128});
        CHECK(suspect->strikes == strike);
        CHECK(suspect->attempt == 1);
        queue.kill(victim);
        const Rescued rescued = queue.call(rescue_jobs(queue.session, 10));
        CHECK(rescued.quarantined == (strike == 3 ? 1 : 0));
        CHECK(rescued.jobs == (strike == 3 ? 0 : 1));
    }
    CHECK(queue.live_rows() == "129:2/2 4 0");
    CHECK(
        queue.value("select id || ' ' || error from task_queue.dead_jobs") ==
        "128 quarantined: 3 workers died while it ran alone"
    );
    CHECK(queue.value("select sum(discarded) from task_queue.batch_changes") == "1");
    CHECK(queue.holds(2));
}

TEST_CASE("rescue_jobs carries out requests to cancel", "[queue][rescue][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 2, .jobs = 4, .batch = batch_a});
    queue.add_row({.jobs = 4, .rescues = 1, .batch = batch_a});
    const WorkerId dead = queue.add_worker();
    queue.claim(dead, 12);
    queue.call(finish_jobs(
        queue.session, dead, std::vector<FinishedRow>{{.row = RowId{128}, .claim = ClaimNumber{1}, .done = 1}}
    ));
    queue.database.psql("update task_queue.bundles set cancel_requested = case id when 128 then 14 else 5 end");
    queue.kill(dead);
    const Rescued rescued = queue.call(rescue_jobs(queue.session, 10));
    CHECK(rescued.rows == 3);
    CHECK(rescued.cancelled == 3 + 2 + 2);
    CHECK(rescued.jobs == 4);
    CHECK(rescued.suspects == 2);
    CHECK(queue.live_rows() == "256:a/a 1 0; 384:2/2 4 0; 387:8/8 4 0");
    CHECK(queue.value("select max(cancel_requested) from task_queue.bundles") == "0");
    CHECK(queue.value("select sum(completed) || ' ' || sum(cancelled) from task_queue.batch_changes") == "1 7");
    CHECK(queue.holds(12));
}

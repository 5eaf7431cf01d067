// Cancelling a job wherever it is, and while it moves.

#include "db/error.hpp"
#include "queue/cancel.hpp"
#include "queue/release.hpp"
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

using namespace queue;
namespace asio = boost::asio;

namespace {

class CancelFixture : public tests::QueueFixture {
public:
    CancelAnswer cancel(JobId job) {
        return tests::run(context, [&] { return cancel_job(session, job); });
    }
    auto cancel_in_background(JobId job) {
        return tests::in_background(database, [job](db::Session& on) { return cancel_job(on, job); });
    }
    std::string state(JobId job) {
        return value("select state from task_queue.job(" + std::to_string(static_cast<std::int64_t>(job)) + ")");
    }
};

JobId job_of(RowId row, int n) {
    return job_id(row, n);
}

}  // namespace

TEST_CASE("cancel_job takes a waiting job out of its bundle and leaves its neighbours", "[queue][cancel][db]") {
    CancelFixture test;
    const int state = GENERATE(0, 1, 3, 4);
    const RowId row = test.add_row({.rows = 1, .jobs = 5, .state = state});
    CHECK(test.cancel(job_of(row, 2)) == CancelAnswer::cancelled);
    CHECK(test.state(job_of(row, 2)) == "cancelled");
    CHECK(test.value("select pending || '/' || members from task_queue.bundles") == "27/27");
    CHECK(test.holds(5));
    CHECK(test.cancel(job_of(row, 2)) == CancelAnswer::finished);
    for (const int n : {0, 4, 1, 3}) CHECK(test.cancel(job_of(row, n)) == CancelAnswer::cancelled);
    CHECK(test.value("select count(*) from task_queue.bundles") == "0");
    CHECK(test.holds(5));
}

TEST_CASE("cancel_job of the last waiting job of a row puts what completed there into history", "[queue][cancel][db]") {
    CancelFixture test;
    const RowId row = test.add_row({.rows = 1, .jobs = 3});
    test.database.psql("update task_queue.bundles set pending = 4");
    CHECK(test.cancel(job_of(row, 0)) == CancelAnswer::finished);
    CHECK(test.cancel(job_of(row, 2)) == CancelAnswer::cancelled);
    CHECK(test.value("select count(*) from task_queue.bundles") == "0");
    CHECK(test.state(job_of(row, 0)) == "completed");
    CHECK(test.state(job_of(row, 1)) == "completed");
    CHECK(test.state(job_of(row, 2)) == "cancelled");
    CHECK(test.holds(3));
}

TEST_CASE("cancel_job of a running job asks its worker, who reads it with its heartbeat", "[queue][cancel][db]") {
    if (tests::skipped_without_direct("LISTEN takes a connection that is nobody else's")) return;
    CancelFixture test;
    test.add_row({.rows = 1, .jobs = 3});
    const WorkerId worker = test.add_worker();
    const std::vector<Bundle> bundles = test.claim(worker, 3);
    db::Session listener = test.database.direct_session(test.context);
    tests::run(test.context, [&] { return listener.run_script("listen task_queue_cancel", std::chrono::seconds(5)); });
    CHECK(test.cancel(job_of(bundles[0].id, 1)) == CancelAnswer::stopping);
    CHECK(test.state(job_of(bundles[0].id, 1)) == "running");
    const db::Notification note =
        tests::run(test.context, [&] { return listener.connection().wait_notification(); }).value();
    CHECK(note.payload == std::to_string(static_cast<std::int64_t>(worker)));
    const Heartbeat beat = test.call(record_heartbeat(test.session, worker));
    REQUIRE(beat.cancels.size() == 1);
    CHECK(beat.cancels[0].jobs == bit(1));
}

TEST_CASE("cancel_job of a job that was released with a request to stop takes it out", "[queue][cancel][db]") {
    CancelFixture test;
    test.add_row({.rows = 1, .jobs = 3});
    const WorkerId worker = test.add_worker();
    const std::vector<Bundle> bundles = test.claim(worker, 3);
    CHECK(test.cancel(job_of(bundles[0].id, 1)) == CancelAnswer::stopping);
    const std::vector<Unstarted> back{
        {.row = bundles[0].id, .claim = ClaimNumber{test.claims}, .jobs = bundles[0].pending}
    };
    test.call(release_jobs(test.session, worker, back));
    CHECK(test.cancel(job_of(bundles[0].id, 1)) == CancelAnswer::cancelled);
    CHECK(test.value("select cancel_requested from task_queue.bundles") == "0");
}

TEST_CASE("cancel_job knows ended jobs from those that never were", "[queue][cancel][db]") {
    CancelFixture test;
    const RowId row = test.add_row({.rows = 1, .jobs = 2});
    const WorkerId worker = test.add_worker();
    const std::vector<Bundle> bundles = test.claim(worker, 2);
    const std::vector<FinishedRow> finished{
        {.row = row,
         .claim = ClaimNumber{test.claims},
         .done = bit(0),
         .leavers = {{.n = 1, .as = Leave::discard, .payload = "why"}},
         .reported = 0}
    };
    REQUIRE(test.call(finish_jobs(test.session, worker, finished)).empty());
    CHECK(test.cancel(job_of(row, 0)) == CancelAnswer::finished);
    CHECK(test.cancel(job_of(row, 1)) == CancelAnswer::finished);
    for (const std::int64_t unknown :
         {std::int64_t{0},
          std::int64_t{-1},
          std::int64_t{2},
          std::int64_t{130},
          std::int64_t{191},
          std::int64_t{192},
          std::int64_t{255},
          std::int64_t{1} << 62}) {
        INFO(unknown);
        CHECK(test.cancel(JobId{unknown}) == CancelAnswer::not_found);
    }
}

// The cancel waits for the row, then finds the bit gone and cannot see the row that has it now: it was lost.
TEST_CASE("cancel_job that meets a split finds the job in its new row", "[queue][cancel][race][db]") {
    CancelFixture test;
    const RowId row = test.add_row({.rows = 1, .jobs = 60});
    const WorkerId worker = test.add_worker();
    tests::OpenTransaction claim(test.database);
    claim.execute(
        "insert into task_queue.bundles (id, members, pending, kind_id, queue_id, args) "
        "select id + 10, members & ~1023, pending & ~1023, kind_id, queue_id, "
        "(select json_agg(v order by o) from json_array_elements(args) with ordinality e(v, o) where o > 10) "
        "from task_queue.bundles; "
        "update task_queue.bundles set members = 1023, pending = 1023, state = 2, claim_number = 1, worker_id = " +
        std::to_string(static_cast<std::int64_t>(worker)) +
        " where id = " + std::to_string(static_cast<std::int64_t>(row))
    );
    auto cancelled = test.cancel_in_background(job_of(row, 40));
    tests::await_blocked(test.database);
    claim.commit();
    CHECK(cancelled.get() == CancelAnswer::cancelled);
    CHECK(test.state(job_of(row, 40)) == "cancelled");
    CHECK(test.state(job_of(row, 5)) == "running");
    CHECK(test.holds(60));
}

TEST_CASE("cancel_job that meets the job's end or retry answers by what became of it", "[queue][cancel][race][db]") {
    CancelFixture test;
    const RowId row = test.add_row({.rows = 1, .jobs = 4});
    const WorkerId worker = test.add_worker();
    const std::vector<Bundle> bundles = test.claim(worker, 4);
    const Leave leave = GENERATE(Leave::retry, Leave::discard, Leave::cancel, Leave::complete_with_result);
    const std::vector<FinishedRow> finished{
        {.row = row,
         .claim = ClaimNumber{test.claims},
         .done = 0,
         .leavers = {{.n = 2, .as = leave, .payload = "\"why\"", .after = std::chrono::hours(1)}},
         .reported = 0}
    };

    asio::io_context context;
    db::Session flush = test.database.session(context);
    tests::run(context, [&] { return flush.run_script("begin", std::chrono::seconds(5)); });
    REQUIRE(tests::run(context, [&] { return finish_jobs(flush, worker, finished); }).empty());
    auto cancelled = test.cancel_in_background(job_of(row, 2));
    tests::await_blocked(test.database);
    tests::run(context, [&] { return flush.run_script("commit", std::chrono::seconds(5)); });
    CHECK(cancelled.get() == (leave == Leave::retry ? CancelAnswer::cancelled : CancelAnswer::finished));
    CHECK(test.holds(4));
}

TEST_CASE(
    "cancel_job in a stricter isolation level raises a serialization failure when the job moves",
    "[queue][cancel][race][db]"
) {
    CancelFixture test;
    const RowId row = test.add_row({.rows = 1, .jobs = 2});
    tests::OpenTransaction strict(test.database, "repeatable read");
    strict.execute("select count(*) from task_queue.bundles");
    CHECK(test.cancel(job_of(row, 0)) == CancelAnswer::cancelled);
    std::string sqlstate;
    try {
        strict.execute("select task_queue.cancel(" + std::to_string(static_cast<std::int64_t>(job_of(row, 1))) + ")");
    } catch (const db::Error& error) {
        sqlstate = error.sqlstate();
    }
    CHECK(sqlstate == "40001");
}

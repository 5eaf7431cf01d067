// cancel_batch: no job enters any more, those that wait are out at once, those that run are asked to stop.

#include "queue/batches.hpp"
#include "queue/cancel.hpp"
#include "tests/support/background.hpp"
#include "tests/support/batch_fixture.hpp"
#include "tests/support/catch.hpp"

#include <chrono>
#include <string>
#include <vector>

using namespace queue;
using tests::batch_id;
using tests::BatchFixture;
using tests::quoted;

TEST_CASE(
    "cancel_batch takes out what waits, asks what runs, and finishes when that has ended", "[queue][batch][cancel][db]"
) {
    BatchFixture test;
    test.enqueue(20, 5);
    const auto bundles = test.claim(test.worker, 7);
    // One job of a waiting row has completed before: it stays completed.
    test.database.psql(
        "update task_queue.bundles set pending = pending & (pending - 1) where id = (select max(id) from "
        "task_queue.bundles);"
        "insert into task_queue.batch_changes (batch_id, completed) values (" +
        quoted + ", 1)"
    );
    tests::OpenTransaction holder(test.database);  // a row in use just then
    holder.execute("select from task_queue.bundles where state <> 2 order by id limit 1 for update");
    const CancelledBatch first = tests::run(test.context, [&] { return cancel_batch(test.session, batch_id); });
    CHECK(first.stopping == 7);
    const std::int64_t held = 20 - 7 - 1 - first.cancelled;
    CHECK(held > 0);
    CHECK(test.fold().finished.empty());
    holder.commit();
    CHECK(tests::run(test.context, [&] { return cancel_remaining_jobs(test.session, 1000); }) == held);
    CHECK(test.counts() == "cancelled 20: 1/0/12 running 7 waiting 0");
    CHECK(test.value("select bool_and(cancel_requested = pending) from task_queue.bundles") == "t");
    CHECK(
        test.database.psql("select state, count(*) from task_queue.jobs group by 1 order by 1") ==
        tests::TextRows{{"cancelled", "12"}, {"completed", "1"}, {"running", "7"}}
    );
    CHECK_THROWS_WITH(test.enqueue(1), Catch::Contains("is cancelled"));
    std::vector<FinishedRow> rest;
    for (const Bundle& bundle : bundles) {
        rest.push_back(
            {.row = bundle.id, .claim = ClaimNumber{test.claims}, .done = bundle.pending, .leavers = {}, .reported = 0}
        );
    }
    CHECK(test.call(finish_jobs(test.session, test.worker, rest)).empty());
    CHECK(test.fold().finished.size() == 1);
    CHECK(test.callbacks() == "done bad");
    CHECK(test.counts() == "finished 20: 8/0/12 running 0 waiting 0");
}

TEST_CASE("cancel_batch tells the workers by NOTIFY task_queue_cancel", "[queue][batch][cancel][db]") {
    if (tests::skipped_without_direct("LISTEN takes a connection that is nobody else's")) return;
    BatchFixture test;
    test.enqueue(2);
    test.claim(test.worker, 1);
    db::Session listener = test.database.direct_session(test.context);
    tests::run(test.context, [&] { return listener.run_script("listen task_queue_cancel", std::chrono::seconds(5)); });
    tests::run(test.context, [&] { return cancel_batch(test.session, batch_id); });
    const db::Notification note =
        tests::run(test.context, [&] { return listener.connection().wait_notification(); }).value();
    CHECK(note.payload == std::to_string(static_cast<std::int64_t>(test.worker)));
}

// As for a seal: a job that is enqueued by a transaction that is open meanwhile would stay in the cancelled batch.
TEST_CASE("cancelling waits for enqueues that have not committed", "[queue][batch][cancel][race][db]") {
    BatchFixture test;
    test.enqueue(1);
    tests::OpenTransaction late(test.database);
    late.execute("select task_queue.enqueue('work', '2', batch_id => " + quoted + ")");
    auto cancelled =
        tests::in_background(test.database, [](db::Session& session) { return cancel_batch(session, batch_id); });
    tests::await_blocked(test.database);
    late.commit();
    CHECK(cancelled.get().cancelled == 2);
    CHECK(test.counts() == "cancelled 2: 0/0/2 running 0 waiting 0");
    CHECK(test.fold().finished.size() == 1);
    CHECK(test.callbacks() == "done bad");
}

// What ends otherwise than by a handler, too, leaves a history only where one is wanted.

#include "queue/batches.hpp"
#include "queue/cancel.hpp"
#include "queue/limits.hpp"
#include "queue/rescue.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <chrono>
#include <string>
#include <vector>

using namespace queue;
using namespace std::chrono_literals;

namespace {

const std::string batch_id = "00000000-0000-0000-0000-00000000000a";
const std::string quoted = "'" + batch_id + "'";

// Rows of four jobs, of which the first two have completed.
class HistoryFixture : public tests::QueueFixture {
public:
    HistoryFixture() {
        database.psql("select task_queue.create_batch(" + quoted + ")");
        call(set_limits(session, {.args = 1 << 20, .keep_completed = completed_for, .keep_cancelled = cancelled_for}));
    }
    RowId add_half_done() {
        const RowId row = add_row({.jobs = 4, .batch = quoted});
        database.psql("update task_queue.bundles set pending = 12");
        return row;
    }
    // "completed/cancelled", in the history and in the batch.
    std::string history() const {
        return value(
            "select coalesce(sum(task_queue.count_jobs(members)) filter (where state = 5), 0) || '/' || "
            "coalesce(sum(task_queue.count_jobs(members)) filter (where state = 6), 0) "
            "from task_queue.finished_bundles"
        );
    }
    std::string expected() const {
        return std::string(completed_for == 0s ? "0/" : "2/") + (cancelled_for == 0s ? "0" : "2");
    }
    std::string counted() const { return value("select sum(cancelled) from task_queue.batch_changes"); }

    const std::chrono::seconds completed_for = GENERATE(0s, 60s);
    const std::chrono::seconds cancelled_for = GENERATE(0s, 60s);
};

}  // namespace

TEST_CASE("cancel_job leaves a history where one is kept", "[queue][cancel][history][db]") {
    HistoryFixture test;
    const RowId row = test.add_half_done();
    for (const int n : {2, 3}) CHECK(test.call(cancel_job(test.session, job_id(row, n))) == CancelAnswer::cancelled);
    CHECK(test.live_rows().empty());
    CHECK(test.history() == test.expected());
    CHECK(test.counted() == "2");
}

TEST_CASE("cancel_batch leaves a history where one is kept", "[queue][batch][history][db]") {
    HistoryFixture test;
    test.add_half_done();
    CHECK(test.value("select cancelled from task_queue.cancel_batch(" + quoted + ")") == "2");
    CHECK(test.live_rows().empty());
    CHECK(test.history() == test.expected());
    CHECK(test.counted() == "2");
}

TEST_CASE("rescue_jobs leaves a history of stopped jobs where one is kept", "[queue][rescue][history][db]") {
    HistoryFixture test;
    test.add_half_done();
    const WorkerId worker = test.add_worker();
    test.claim(worker, 4);
    test.database.psql("update task_queue.bundles set cancel_requested = pending");
    test.kill(worker);
    CHECK(test.call(rescue_jobs(test.session, 10)).cancelled == 2);
    CHECK(test.live_rows().empty());
    CHECK(test.history() == test.expected());
    CHECK(test.counted() == "2");
}

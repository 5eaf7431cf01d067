// Suspects: one at a time, by a worker that runs nothing else.

#include "queue/claim.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/claims.hpp"
#include "tests/support/queue_fixture.hpp"

using namespace queue;
using tests::request_of;

TEST_CASE("claim_suspect takes one suspect and counts a strike before it runs", "[queue][claim][db]") {
    tests::QueueFixture queue;
    const auto rows = queue.add_rows({.rows = 2, .state = 4, .rescues = 2});
    const WorkerId worker = queue.add_worker();
    CHECK(queue.claim(worker, 5).empty());
    const auto suspect = queue.call(claim_suspect(queue.session, request_of(worker, 7, 5)));
    REQUIRE(suspect);
    CHECK(suspect->id == rows[0]);
    CHECK(suspect->strikes == 1);
    CHECK(suspect->rescues == 2);
    CHECK(suspect->attempt == 1);
    CHECK(
        queue.value("select string_agg(state || ':' || strikes, ' ' order by id) from task_queue.bundles") == "2:1 4:0"
    );
    queue.kill(worker);
    CHECK_FALSE(queue.call(claim_suspect(queue.session, request_of(worker, 8, 5))));
}

TEST_CASE("is_suspect_waiting sees suspects of the lanes that it is asked about", "[queue][claim][db]") {
    tests::QueueFixture queue;
    const std::vector<LaneCursor> lanes{{.queue = QueueId{1}, .priority = 4}};
    queue.add_row({});
    queue.add_row({.priority = 3, .state = 4});
    CHECK_FALSE(queue.call(is_suspect_waiting(queue.session, lanes)));
    queue.add_row({.state = 4});
    CHECK(queue.call(is_suspect_waiting(queue.session, lanes)));
}

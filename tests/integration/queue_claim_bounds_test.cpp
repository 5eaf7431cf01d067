// How much a claim takes at most, and whether the worker is hungry after it.

#include "queue/claim.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/claims.hpp"
#include "tests/support/queue_fixture.hpp"

using namespace queue;
using tests::jobs_of;
using tests::request_of;
using tests::small_or_large;

TEST_CASE("claim_bundles looks at no more rows than it may", "[queue][claim][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 5});
    ClaimRequest request = request_of(queue.add_worker(), 1, small_or_large(100));
    request.rows = 2;
    CHECK(queue.call(claim_bundles(queue.session, request)).size() == 2);
}

TEST_CASE("a large claim takes its last bundle whole", "[queue][claim][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 10, .jobs = 63});
    CHECK(jobs_of(queue.claim(queue.add_worker(), 499)).size() == 499);
    queue.add_rows({.rows = 8, .jobs = 63});
    CHECK(jobs_of(queue.claim(queue.add_worker(), 500)).size() == 10 * 63 - 499 + 6 * 63);
    CHECK(queue.value("select count(*) from task_queue.bundles where state = 1") == "2");
}

TEST_CASE("claim_bundles ends where the args become too many bytes", "[queue][claim][db]") {
    tests::QueueFixture queue;
    const int jobs = small_or_large(10);
    queue.add_rows({.rows = 3});
    queue.database.psql(
        "update task_queue.bundles set args = (select json_build_array(string_agg(md5(i::text), '')) "
        "from generate_series(1, 600000) i)"
    );  // 19 MB each
    CHECK(queue.claim(queue.add_worker(), jobs).size() == 1);
    CHECK(queue.claim(queue.add_worker(), jobs).size() == 1);
    queue.database.psql("update task_queue.bundles set args = '[1]'");
    CHECK(queue.value("select count(*) from task_queue.bundles where state = 1") == "1");
}

TEST_CASE(
    "claim_bundles counts compressed args as large as they may be, and says that there are more", "[queue][claim][db]"
) {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 100});
    queue.database.psql("update task_queue.bundles set args = json_build_array(repeat('x', 1000000))");
    const int jobs = small_or_large(100);
    const WorkerId worker = queue.add_worker();
    std::size_t claimed = 0;
    while (claimed < 100) {
        const auto bundles = queue.claim(worker, jobs);
        REQUIRE(!bundles.empty());
        CHECK(bundles.size() <= 17);
        claimed += bundles.size();
        for (const Bundle& bundle : bundles) CHECK(bundle.more == (claimed < 100));
    }
}

TEST_CASE("claim_bundles is not told to be hungry by a claim that ended at its bytes", "[queue][claim][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 3});
    queue.database.psql("update task_queue.bundles set args = json_build_array(repeat('x', 17000000))");
    const int jobs = small_or_large(10);
    const WorkerId worker = queue.add_worker();
    const auto claim = [&] {
        return queue
            .call(claim_bundles(
                queue.session,
                {.worker = worker,
                 .claim = ClaimNumber{++queue.claims},
                 .lanes = {{.queue = QueueId{1}, .priority = 4}},
                 .jobs = jobs,
                 .rows = 10,
                 .mark_hungry = true}
            ))
            .size();
    };
    const std::string hungry = "select hungry from task_queue.workers";
    CHECK(claim() == 1);
    CHECK(queue.value(hungry) == "f");
    CHECK(claim() == 1);
    CHECK(queue.value(hungry) == "f");
    CHECK(claim() == 1);
    CHECK(queue.value(hungry) == "t");
}

TEST_CASE("claim_bundles marks the worker hungry only when fewer jobs were there than asked", "[queue][claim][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 4});
    ClaimRequest request = request_of(queue.add_worker(), 1, 2);
    request.mark_hungry = true;
    CHECK(queue.call(claim_bundles(queue.session, request)).size() == 1);
    CHECK(queue.value("select hungry from task_queue.workers") == "f");
    request.jobs = 3;
    CHECK(queue.call(claim_bundles(queue.session, request)).size() == 1);
    CHECK(queue.value("select hungry from task_queue.workers") == "t");
}

TEST_CASE("a large claim marks the worker hungry only when fewer jobs were there than asked", "[queue][claim][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 17, .jobs = 63});
    ClaimRequest request = request_of(queue.add_worker(), 1, 16 * 63);
    request.mark_hungry = true;
    CHECK(jobs_of(queue.call(claim_bundles(queue.session, request))).size() == 16 * 63);
    CHECK(queue.value("select hungry from task_queue.workers") == "f");
    queue.add_rows({.rows = 15, .jobs = 63});  // and one is left: as many as asked
    CHECK(jobs_of(queue.call(claim_bundles(queue.session, request))).size() == 16 * 63);
    CHECK(queue.value("select hungry from task_queue.workers") == "f");
    queue.add_rows({.rows = 16, .jobs = 63});
    request.rows = 16;  // more rows might be there
    CHECK(jobs_of(queue.call(claim_bundles(queue.session, request))).size() == 16 * 63);
    CHECK(queue.value("select hungry from task_queue.workers") == "f");
    queue.add_rows({.rows = 16, .jobs = 63});
    request.jobs = 16 * 63 + 1;
    request.rows = 17;
    CHECK(jobs_of(queue.call(claim_bundles(queue.session, request))).size() == 16 * 63);
    CHECK(queue.value("select hungry from task_queue.workers") == "t");
}

#include "queue/release.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <vector>

using namespace queue;
using tests::QueueFixture;

TEST_CASE("release_claims puts back what a claim took whose answer was lost, and nothing else", "[queue][release]") {
    QueueFixture test;
    test.add_rows({.rows = 3, .jobs = 10});
    const WorkerId worker = test.add_worker();
    const WorkerId other = test.add_worker();
    test.claim(worker, 15);  // its answer is lost
    const ClaimNumber lost{test.claims};
    test.claim(worker, 5);
    const ClaimNumber known{test.claims};
    test.claim(other, 5);
    const std::vector<ClaimNumber> claims{lost};

    const std::int64_t rows = test.call(release_claims(test.session, worker, claims));
    CHECK(rows == 2);
    CHECK(
        test.value(
            "select count(*) from task_queue.bundles where claim_number = " +
            std::to_string(static_cast<std::int64_t>(lost)) + " and state = 2"
        ) == "0"
    );
    CHECK(test.value("select count(*) from task_queue.bundles where state = 2") == "2");
    CHECK(test.value("select count(*) from task_queue.bundles where state = 1 and attempt <> 0") == "0");
    CHECK(test.holds(30));

    CHECK(test.call(release_claims(test.session, worker, claims)) == 0);  // a repeat finds nothing
    const std::vector<ClaimNumber> others{known};
    CHECK(test.call(release_claims(test.session, other, others)) == 0);  // the number is another worker's
}

TEST_CASE("release_jobs has jobs due again after a while, a row of them in one piece", "[queue][release]") {
    QueueFixture test;
    const RowId whole = test.add_row({.jobs = 5});
    const RowId cut = test.add_row({.jobs = 5});
    const RowId at_once = test.add_row({.jobs = 5});
    const WorkerId worker = test.add_worker();
    test.claim(worker, 15);
    const ClaimNumber claim{test.claims};
    const std::vector<Unstarted> back{
        {.row = whole, .claim = claim, .jobs = 31, .after = std::chrono::hours(1)},
        {.row = cut, .claim = claim, .jobs = 24, .after = std::chrono::hours(1)},
        {.row = at_once, .claim = claim, .jobs = 31},
    };
    CHECK(test.call(release_jobs(test.session, worker, back)).size() == 3);
    CHECK(test.live_rows() == "128:1f/1f 0 0; 256:7/7 2 1; 259:18/18 0 0; 384:1f/1f 1 0");
    CHECK(test.value("select count(*) from task_queue.bundles where run_at > now() + interval '59 minutes'") == "2");
    CHECK(test.holds(15));
}

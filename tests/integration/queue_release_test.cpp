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

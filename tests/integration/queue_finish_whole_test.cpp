#include "queue/finish.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

using namespace queue;

namespace {

const std::string batch_a = "'00000000-0000-0000-0000-00000000000a'";

std::vector<RowId> finish(
    tests::QueueFixture& queue, WorkerId worker, const std::vector<FinishedRow>& rows, FinishOptions options = {}
) {
    return queue.call(finish_whole_rows(queue.session, worker, rows, options));
}

FinishedRow all_done(const Bundle& bundle, std::int64_t claim) {
    return {.row = bundle.id, .claim = ClaimNumber{claim}, .done = bundle.pending};
}

}  // namespace

TEST_CASE("finish_whole_rows ends rows of which nothing is left", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 2, .jobs = 5, .batch = batch_a});
    queue.add_row({});
    const WorkerId worker = queue.add_worker();
    const auto bundles = queue.claim(worker, 11);
    REQUIRE(bundles.size() == 3);
    const bool keep = GENERATE(true, false);
    // In any order: the statement needs them by id.
    CHECK(finish(
              queue,
              worker,
              {all_done(bundles[2], 1), all_done(bundles[0], 1), all_done(bundles[1], 1)},
              {.keep_completed = keep}
    )
              .empty());
    CHECK(queue.live_rows().empty());
    CHECK(queue.value("select count(*) from task_queue.finished_bundles") == (keep ? "3" : "0"));
    CHECK(queue.value("select sum(completed) || ' ' || count(*) from task_queue.batch_changes") == "10 1");
    if (keep) CHECK(queue.holds(11));
}

TEST_CASE("finish_whole_rows leaves a row alone that has other jobs to do, or another owner", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 3, .jobs = 3, .batch = batch_a});
    const WorkerId worker = queue.add_worker();
    const auto bundles = queue.claim(worker, 9);
    REQUIRE(bundles.size() == 3);
    const std::string before = queue.live_rows();
    std::vector<FinishedRow> rows;
    rows.push_back(all_done(bundles[0], 1));
    rows.back().done = 3;                     // the third job is still to be done
    rows.push_back(all_done(bundles[1], 2));  // another claim's number
    CHECK(finish(queue, worker, rows) == std::vector{bundles[0].id, bundles[1].id});
    CHECK(finish(queue, queue.add_worker(), {all_done(bundles[2], 1)}) == std::vector{bundles[2].id});
    CHECK(queue.live_rows() == before);
    CHECK(queue.value("select count(*) from task_queue.batch_changes") == "0");

    // The rest of a row whose first part was written before ends it.
    const std::vector<FinishedRow> part{{.row = bundles[0].id, .claim = ClaimNumber{1}, .done = 3}};
    CHECK(queue.call(finish_jobs(queue.session, worker, part)).empty());
    const std::vector<FinishedRow> rest{{.row = bundles[0].id, .claim = ClaimNumber{1}, .done = 4}};
    CHECK(finish(queue, worker, rest).empty());
    CHECK(finish(queue, worker, rest) == std::vector{bundles[0].id});  // a repeat counts nothing
    CHECK(queue.value("select sum(completed) from task_queue.batch_changes") == "3");
    CHECK(queue.value("select members from task_queue.finished_bundles") == "7");
}

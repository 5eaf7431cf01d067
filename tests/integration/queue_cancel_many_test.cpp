// Cancelling the jobs that match, step by step.

#include "queue/cancel.hpp"
#include "queue/release.hpp"
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <array>
#include <limits>
#include <optional>
#include <string>

using namespace queue;

namespace {

const std::string batch_id = "00000000-0000-0000-0000-000000000001";
constexpr RowId first{0};
constexpr RowId last{std::numeric_limits<std::int64_t>::max()};

class CancelFixture : public tests::QueueFixture {
public:
    CancelStep step(JobFilter filter, RowId after = first, RowId upto = last) {
        return tests::run(context, [&] { return cancel_jobs(session, filter, after, upto); });
    }
    Cancellable count(JobFilter filter, std::optional<RowId> upto = {}) {
        return tests::run(context, [&] { return count_cancellable_jobs(session, filter, upto); });
    }
};

}  // namespace

TEST_CASE("cancel_jobs cancels the jobs that match everything given, and no other", "[queue][cancel][db]") {
    CancelFixture test;
    test.database.psql(
        "select task_queue.create_batch('" + batch_id + "'); insert into task_queue.queues (name) values ('mail')"
    );
    const int mail = std::stoi(test.value("select id from task_queue.queues where name = 'mail'"));
    test.add_row({.jobs = 3, .batch = "'" + batch_id + "'"});
    test.add_row({.jobs = 4, .queue = mail, .kind = "other"});
    test.add_row({.jobs = 5, .state = 0, .run_at = "now() + interval '1 h'", .kind = "other"});
    const auto [filter, jobs] = GENERATE(table<JobFilter, int>(
        {{{.kind = "other"}, 9},
         {{.queue = "mail"}, 4},
         {{.queue = "default"}, 8},
         {{.state = "scheduled"}, 5},
         {{.kind = "other", .state = "available"}, 4},
         {{.batch = batch_id}, 3},
         {{.kind = "unheard"}, 0},
         {{.queue = "unheard"}, 0},
         {{}, 12}}
    ));
    CHECK(test.count(filter).waiting == jobs);
    const CancelStep step = test.step(filter);
    CHECK(step.cancelled == jobs);
    CHECK(step.stopping == 0);
    CHECK(test.count({}).waiting == 12 - jobs);
    CHECK(test.value("select count(*) from task_queue.jobs where state = 'cancelled'") == std::to_string(jobs));
    CHECK(test.holds(12));
    const bool of_batch = filter.batch || filter.queue == "default" || jobs == 12;
    CHECK(test.value("select cancelled from task_queue.batch_status('" + batch_id + "')") == (of_batch ? "3" : "0"));
}

TEST_CASE("cancel_jobs asks running jobs to stop, once, and keeps what completed", "[queue][cancel][db]") {
    CancelFixture test;
    test.add_row({.jobs = 3});
    const WorkerId worker = test.add_worker();
    test.claim(worker, 3);
    test.add_row({.jobs = 4});
    test.database.psql("update task_queue.bundles set pending = 12 where state = 1");  // 0 and 1 have completed
    CHECK(test.count({}).waiting == 2);
    CHECK(test.count({}).running == 3);
    CHECK(test.count({.state = "available"}).running == 0);
    const CancelStep step = test.step({});
    CHECK(step.cancelled == 2);
    CHECK(step.stopping == 3);
    CHECK(test.count({}).running == 0);
    CHECK(test.step({}).stopping == 0);
    CHECK(test.call(record_heartbeat(test.session, worker)).cancels.size() == 1);
    CHECK(
        test.database.psql("select state, count(*) from task_queue.jobs group by 1 order by 1") ==
        tests::TextRows{{"cancelled", "2"}, {"completed", "2"}, {"running", "3"}}
    );
    CHECK(test.holds(7));
}

TEST_CASE("cancel_jobs asks no row again whose jobs were asked before it was cut", "[queue][cancel][db]") {
    CancelFixture queue;
    queue.add_row({.jobs = 3});
    const WorkerId worker = queue.add_worker();
    REQUIRE(queue.claim(worker, 3).size() == 1);
    REQUIRE(queue.step({}).stopping == 3);
    queue.call(release_claims(queue.session, worker, std::array{ClaimNumber{queue.claims}}));
    REQUIRE(queue.claim(worker, 1).size() == 1);

    const CancelStep step = queue.step({.limit = 2});
    CHECK(step.stopping == 0);
    CHECK(step.cancelled == 2);
}

TEST_CASE("cancel_jobs goes in steps of bounded size through the rows that were there", "[queue][cancel][db]") {
    CancelFixture test;
    test.add_rows({.rows = 5, .jobs = 2});
    const RowId newest = test.count({}).newest;
    test.add_rows({.rows = 5, .jobs = 2});
    RowId place = first;
    int steps = 0;
    for (std::optional<RowId> next = place; next; ++steps) {
        place = *next;
        const CancelStep step = test.step({.limit = 2}, place, newest);
        CHECK(step.cancelled <= 4);
        next = step.last;
    }
    CHECK(steps == 4);  // 2, 2, 1 and none
    CHECK(test.count({}, newest).waiting == 0);
    CHECK(test.count({}).waiting == 10);
}

TEST_CASE("a step of cancel_jobs ends at 16 MiB of args, and the next goes on there", "[queue][cancel][db]") {
    CancelFixture test;
    test.add_rows({.rows = 3, .jobs = 1});
    test.database.psql(  // 9 MB each, which do not compress
        "update task_queue.bundles set args = (select json_build_array(string_agg(md5(n::text), '')) "
        "from generate_series(1, 280000) n)"
    );
    test.database.psql("alter table task_queue.bundles alter args set storage external");
    test.database.psql("update task_queue.bundles set args = json_build_array(args -> 0)");
    const CancelStep step = test.step({});
    CHECK(step.cancelled == 2);
    REQUIRE(step.last);
    CHECK(test.step({}, *step.last).cancelled == 1);
}

TEST_CASE("cancel_jobs passes rows in use, and takes them once they are free", "[queue][cancel][race][db]") {
    CancelFixture test;
    const std::vector<RowId> rows = test.add_rows({.rows = 3, .jobs = 2});
    tests::OpenTransaction user(test.database);
    user.execute(
        "select from task_queue.bundles where id = " + std::to_string(static_cast<std::int64_t>(rows[1])) +
        " for update"
    );
    CHECK(test.step({}).cancelled == 4);
    CHECK(test.count({}).waiting == 2);
    user.commit();
    CHECK(test.step({}).cancelled == 2);
    CHECK(test.holds(6));
}

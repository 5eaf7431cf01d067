// Jobs as people see them: one, some, their progress, and the dead.

#include "db/error.hpp"
#include "queue/batches.hpp"
#include "queue/dead.hpp"
#include "queue/progress.hpp"
#include "queue/read_job.hpp"
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

using namespace queue;
namespace asio = boost::asio;

namespace {

const std::string batch_id = "00000000-0000-0000-0000-000000000001";

// A bundle of six: 0 completed, 1 with a result, 2 to be retried, 3 discarded, 4 cancelled, 5 running.
class JobsFixture : public tests::QueueFixture {
public:
    JobsFixture() {
        database.psql("select task_queue.create_batch('" + batch_id + "')");
        row = add_row({.rows = 1, .jobs = 6, .max_attempts = 7, .batch = "'" + batch_id + "'"});
        worker = add_worker();
        claim(worker, 6);
        const std::vector<TaskProgress> progress{progress_of(5, 3, 10, "half"), progress_of(1, 1, 1, "all")};
        REQUIRE(call(record_task_progress(session, worker, progress)).empty());
        const auto hour = std::chrono::hours(1);
        const std::vector<FinishedRow> finished{
            {.row = row,
             .claim = ClaimNumber{claims},
             .done = bit(0),
             .leavers =
                 {{.n = 1, .as = Leave::complete_with_result, .payload = R"({"words": 3})"},
                  {.n = 2, .as = Leave::retry, .payload = "once more", .after = hour},
                  {.n = 3, .as = Leave::discard, .payload = "no use"},
                  {.n = 4, .as = Leave::cancel, .payload = "asked"}},
             .reported = bit(1)}
        };
        REQUIRE(call(finish_jobs(session, worker, finished)).empty());
    }
    TaskProgress progress_of(int n, std::int64_t done, std::int64_t total, std::string message) const {
        return {
            .job = job(n), .row = row, .claim = ClaimNumber{claims}, .done = done, .total = total, .message = message
        };
    }
    JobId job(int n) const { return job_id(row, n); }
    std::optional<JobDetails> read(JobId id) {
        return tests::run(context, [&] { return read_job(session, id); });
    }
    std::vector<JobLine> list(JobFilter filter) {
        return tests::run(context, [&] { return list_jobs(session, filter); });
    }

    RowId row{};
    WorkerId worker{};
};

}  // namespace

TEST_CASE("read_job finds a job in every place, with its own args", "[queue][job][db]") {
    JobsFixture test;
    const std::vector<std::string> states{"completed", "completed", "retryable", "discarded", "cancelled", "running"};
    for (int n = 0; n < 6; ++n) {
        INFO(n);
        const auto details = test.read(test.job(n));
        REQUIRE(details);
        CHECK(details->state == states[static_cast<std::size_t>(n)]);
        CHECK(details->id == test.job(n));
        CHECK(details->kind == "test");
        CHECK(details->queue == "default");
        CHECK(details->attempt == 1);
        CHECK(details->max_attempts == 7);
        CHECK(details->batch == batch_id);
        CHECK_THAT(details->args, Catch::Contains(std::to_string(static_cast<std::int64_t>(test.job(n)))));
    }
    CHECK(test.read(test.job(1))->result == R"({"words": 3})");
    CHECK(test.read(test.job(1))->done == std::nullopt);
    CHECK(test.read(test.job(3))->error == "no use");
    CHECK(test.read(test.job(3))->finished_at.has_value());
    CHECK(test.read(test.job(5))->done == 3);
    CHECK(test.read(test.job(5))->message == "half");
    CHECK(test.read(test.job(5))->worker == test.worker);
    CHECK_FALSE(test.read(JobId{static_cast<std::int64_t>(test.job(5)) + 1}));
    CHECK_FALSE(test.read(JobId{static_cast<std::int64_t>(test.row) + 64}));
}

TEST_CASE("the jobs view has one line for each job, wherever it is", "[queue][job][db]") {
    JobsFixture test;
    CHECK(
        test.database.psql(
            "select id - " + std::to_string(static_cast<std::int64_t>(test.row)) +
            ", state, kind, queue, attempt from task_queue.jobs order by id"
        ) ==
        tests::TextRows{
            {"0", "completed", "test", "default", "1"},
            {"1", "completed", "test", "default", "1"},
            {"2", "retryable", "test", "default", "1"},
            {"3", "discarded", "test", "default", "1"},
            {"4", "cancelled", "test", "default", "1"},
            {"5", "running", "test", "default", "1"}
        }
    );
}

TEST_CASE("the jobs view and job(id) agree about every job, in every kind of row", "[queue][job][db]") {
    JobsFixture test;
    test.add_row({.jobs = 3, .state = 0, .run_at = "now() + interval '1 h'"});
    test.add_row({.jobs = 1, .state = 4});
    test.add_row({.jobs = 63});
    test.claim(test.worker, 10);  // cuts it into pieces
    CHECK(
        test.database.psql("select state, count(*) from task_queue.jobs group by 1 order by 1") ==
        tests::TextRows{
            {"available", "54"},
            {"cancelled", "1"},
            {"completed", "2"},
            {"discarded", "1"},
            {"retryable", "1"},
            {"running", "11"},
            {"scheduled", "3"}
        }
    );
    CHECK(
        test.database.value("select count(*) from task_queue.jobs j left join lateral task_queue.job(j.id) one on true "
                            "where (j.state, j.kind, j.queue, j.attempt) is distinct from (one.state, one.kind, "
                            "one.queue, one.attempt) "
                            "or (one.args ->> 'job')::bigint is distinct from j.id") == "0"
    );
}

TEST_CASE("list_jobs filters by kind, state and batch, newest first, up to the limit", "[queue][job][db]") {
    JobsFixture test;
    test.add_rows({.rows = 3, .jobs = 20, .kind = "other"});
    const auto all = test.list({.limit = 1000});
    CHECK(all.size() == 66);
    CHECK(std::ranges::is_sorted(all, std::ranges::greater{}, &JobLine::id));
    CHECK(test.list({.limit = 7}).front().id == all.front().id);
    CHECK(test.list({.limit = 7}).size() == 7);
    CHECK(test.list({.kind = "test"}).size() == 6);
    CHECK(test.list({.kind = "unheard"}).empty());
    CHECK(test.list({.queue = "default", .limit = 1000}).size() == 66);
    CHECK(test.list({.queue = "unheard"}).empty());
    CHECK(test.list({.batch = batch_id}).size() == 6);
    CHECK(test.list({.state = "available", .limit = 1000}).size() == 60);
    CHECK(test.list({.state = "completed"}).size() == 2);
    for (const std::string state : {"retryable", "discarded", "cancelled", "running"}) {
        INFO(state);
        REQUIRE(test.list({.state = state}).size() == 1);
        CHECK(test.list({.state = state}).front().state == state);
    }
    CHECK(test.list({.state = "scheduled"}).empty());
}

TEST_CASE("record_task_progress writes under the lease only, and answers what was lost", "[queue][progress][db]") {
    JobsFixture test;
    const auto record = [&](const TaskProgress& one) {
        return test.call(record_task_progress(test.session, test.worker, std::vector<TaskProgress>{one}));
    };
    const auto stored = [&] {
        const std::vector<JobId> jobs{test.job(5), test.job(4)};
        const auto read = tests::run(test.context, [&] { return read_task_progress(test.session, jobs); });
        REQUIRE(read.size() == 1);
        return std::to_string(read[0].done) + "/" + std::to_string(read[0].total) + " " + read[0].message;
    };
    CHECK(record(test.progress_of(5, 4, 10, "more")).empty());
    CHECK(stored() == "4/10 more");
    TaskProgress stale = test.progress_of(5, 9, 10, "stale");
    stale.claim = ClaimNumber{test.claims + 1};
    CHECK(record(stale) == std::vector<JobId>{test.job(5)});
    CHECK(record(test.progress_of(4, 9, 10, "ended")) == std::vector<JobId>{test.job(4)});
    const std::vector<TaskProgress> of_another{test.progress_of(5, 9, 10, "of another worker")};
    CHECK(test.call(record_task_progress(test.session, WorkerId{999}, of_another)) == std::vector<JobId>{test.job(5)});
    CHECK(stored() == "4/10 more");
    CHECK(test.call(record_task_progress(test.session, test.worker, std::vector<TaskProgress>{})).empty());
    // A row that another holds for a moment is still this worker's.
    tests::OpenTransaction holder(test.database);
    holder.execute("select from task_queue.bundles where worker_id is not null for update");
    CHECK(record(test.progress_of(5, 5, 10, "late")).empty());
    CHECK(stored() == "4/10 more");
}

TEST_CASE("report_progress writes for a running job and no other", "[queue][progress][db]") {
    JobsFixture test;
    const auto report = [&](int n, const std::string& rest) {
        return test.value(
            "select task_queue.report_progress(" + std::to_string(static_cast<std::int64_t>(test.job(n))) + rest + ")"
        );
    };
    CHECK(report(5, ", 8, 10, 'http'") == "t");
    CHECK(test.read(test.job(5))->message == "http");
    CHECK(report(5, ", 9") == "t");
    CHECK(report(2, ", 8, 10, 'http'") == "f");
    CHECK(report(0, ", 8, 10, 'http'") == "f");
    CHECK_THROWS_WITH(report(5, ", -1"), Catch::Contains("done"));
    CHECK_THROWS_WITH(report(5, ", null"), Catch::Contains("done"));
    CHECK_THROWS_WITH(report(5, ", 1, -1"), Catch::Contains("total"));
}

TEST_CASE("dead letters are listed, redriven under their ids, and purged", "[queue][dead][db]") {
    JobsFixture test;
    const auto list = [&](DeadFilter filter) {
        return tests::run(test.context, [&] { return list_dead_jobs(test.session, filter); });
    };
    const auto redrive = [&](DeadFilter filter) {
        return tests::run(test.context, [&] { return redrive_dead_jobs(test.session, filter); });
    };
    REQUIRE(list({}).size() == 1);
    CHECK(list({})[0].error == "no use");
    CHECK(list({.kind = "other"}).empty());
    CHECK(list({.jobs = {test.job(2)}}).empty());
    CHECK(list({.jobs = {test.job(3)}, .kind = "test", .queue = "default", .batch = batch_id}).size() == 1);
    CHECK(list({.queue = "mail"}).empty());
    CHECK(redrive({.kind = "other"}).empty());
    CHECK(redrive({.queue = "mail"}).empty());
    CHECK(tests::run(test.context, [&] { return purge_dead_jobs(test.session, {.queue = "mail"}); }) == 0);
    CHECK(redrive({.jobs = {test.job(3)}}) == std::vector<JobId>{test.job(3)});
    CHECK(list({}).empty());
    const auto details = test.read(test.job(3));
    CHECK(details->state == "available");
    CHECK(details->attempt == 0);
    CHECK(test.holds(6));
    // It can be claimed, die and be redriven again.
    for (const Bundle& bundle : test.claim(test.worker, 10)) {
        const std::vector<FinishedRow> dies{
            {.row = bundle.id,
             .claim = ClaimNumber{test.claims},
             .done = 0,
             .leavers = {{.n = job_number(test.job(3)), .as = Leave::discard, .payload = "again"}},
             .reported = 0}
        };
        CHECK(test.call(finish_jobs(test.session, test.worker, dies)).empty());
    }
    CHECK(list({}).front().error == "again");
    CHECK(tests::run(test.context, [&] { return purge_dead_jobs(test.session, {}); }) == 1);
    CHECK(list({}).empty());
    CHECK_FALSE(test.read(test.job(3)));
}

TEST_CASE("redrive_dead_jobs leaves what a live job's unique key or a cancelled batch forbids", "[queue][dead][db]") {
    JobsFixture test;
    const auto redrive = [&] { return tests::run(test.context, [&] { return redrive_dead_jobs(test.session, {}); }); };
    test.database.psql("update task_queue.dead_jobs set unique_key = 'u'");
    const std::string live = test.value("select task_queue.enqueue('test', '{}', unique_key => 'u')");
    CHECK(redrive().empty());
    CHECK(test.value("select count(*) from task_queue.dead_jobs") == "1");
    CHECK(test.value("select coalesce(min(discarded), 0) from task_queue.batch_changes where discarded < 0") == "0");
    test.database.psql("select task_queue.cancel(" + live + "); update task_queue.batches set state = 'cancelled'");
    CHECK(redrive().empty());
    test.database.psql("update task_queue.batches set state = 'sealed'");
    CHECK(redrive().size() == 1);
}

TEST_CASE("list_slow_jobs orders a batch's completed jobs by their run time", "[queue][batch][db]") {
    JobsFixture test;
    test.database.psql(
        "update task_queue.finished_bundles set claimed_at = finished_at - interval '3 s', "
        "started_at = finished_at - interval '2 s' where result is not null"
    );
    const auto slow = tests::run(test.context, [&] { return list_slow_jobs(test.session, batch_id, 10); });
    REQUIRE(slow.size() == 1);  // the other completed job is still in its bundle
    CHECK(slow[0].job == test.job(1));
    CHECK(slow[0].run_time == std::chrono::seconds(2));
    CHECK_THAT(slow[0].args, Catch::Contains("job"));
}

#include "db/error.hpp"
#include "db/transaction.hpp"
#include "queue/finish.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

using namespace queue;
using namespace std::chrono_literals;

namespace {

const std::string batch_a = "'00000000-0000-0000-0000-00000000000a'";

std::vector<RowId> finish(
    tests::QueueFixture& queue, WorkerId worker, const std::vector<FinishedRow>& rows, FinishOptions options = {}
) {
    return queue.call(finish_jobs(queue.session, worker, rows, options));
}

FinishedRow all_done(const Bundle& bundle, std::int64_t claim) {
    return {.row = bundle.id, .claim = ClaimNumber{claim}, .done = bundle.pending, .leavers = {}};
}

std::string changes(const tests::QueueFixture& queue) {
    return queue.value(
        "select sum(completed) || ' ' || sum(discarded) || ' ' || sum(cancelled) from "
        "task_queue.batch_changes"
    );
}

const db::Statement request_cancel_sql{
    "test_request_cancel", "update task_queue.bundles set cancel_requested = 1 where id = 128"
};

}  // namespace

TEST_CASE("finish_jobs moves a bundle whose jobs are done into history as one row", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 5, .batch = batch_a});
    const WorkerId worker = queue.add_worker();
    const auto bundles = queue.claim(worker, 5);
    CHECK(finish(queue, worker, {all_done(bundles[0], 1)}).empty());
    CHECK(queue.live_rows().empty());
    CHECK(
        queue.value("select count(*) || ' ' || min(members) || ' ' || min(state) from task_queue.finished_bundles") ==
        "1 31 5"
    );
    CHECK(changes(queue) == "5 0 0");
    CHECK(queue.holds(5));
}

TEST_CASE("finish_jobs counts a partly done bundle by what it changed", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 5, .batch = batch_a});
    const WorkerId worker = queue.add_worker();
    const RowId row = queue.claim(worker, 5)[0].id;
    const ClaimNumber claim{1};
    CHECK(finish(queue, worker, {{.row = row, .claim = claim, .done = 0b00011, .leavers = {}}}).empty());
    CHECK(queue.live_rows() == "128:1f/1c 2 1");
    // One of these has been counted already.
    CHECK(finish(queue, worker, {{.row = row, .claim = claim, .done = 0b00110, .leavers = {}}}).empty());
    CHECK(changes(queue) == "3 0 0");
    CHECK(finish(queue, worker, {{.row = row, .claim = claim, .done = 0b11000, .leavers = {}}}).empty());
    CHECK(changes(queue) == "5 0 0");
    CHECK(queue.live_rows().empty());
    CHECK(queue.holds(5));
}

TEST_CASE("finish_jobs records every outcome of a flush at once", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 8, .batch = batch_a});
    queue.add_rows({.rows = 6, .batch = batch_a});
    const WorkerId worker = queue.add_worker();
    const auto bundles = queue.claim(worker, 100);
    REQUIRE(bundles.size() == 7);
    const ClaimNumber claim{1};
    const std::vector<Leaver> leavers{
        {.n = 1, .as = Leave::retry, .payload = "no \"luck\"", .after = 10s},
        {.n = 2, .as = Leave::snooze, .payload = "", .after = 10s},
        {.n = 3, .as = Leave::discard, .payload = "never"},
        {.n = 4, .as = Leave::cancel, .payload = "asked"},
        {.n = 5, .as = Leave::complete_with_result, .payload = R"({"words": 5})", .took = 1500ms},
    };
    std::vector<FinishedRow> rows{{.row = bundles[0].id, .claim = claim, .done = 0b1, .leavers = leavers}};
    for (std::size_t i = 0; i < 5; ++i) {
        Leaver leaver = leavers[i];
        leaver.n = 0;
        rows.push_back({.row = bundles[i + 1].id, .claim = claim, .leavers = {leaver}});
    }
    rows.push_back(all_done(bundles[6], 1));
    CHECK(finish(queue, worker, rows).empty());
    // Jobs 6 and 7 of the bundle go on; a single that retries keeps its row, one that left a bundle has 64 in its id.
    CHECK(queue.live_rows() == "128:c1/c0 2 1; 193:2/2 3 1; 194:4/4 0 0; 256:1/1 3 1; 384:1/1 0 0");
    CHECK(
        queue.value("select string_agg(id || ' ' || members || ' ' || state || ' ' || coalesce(result::text, '-'), "
                    "'; ' order by id) from task_queue.finished_bundles"
        ) == "196 16 6 -; 197 32 5 {\"words\": 5}; 704 1 6 -; 832 1 5 {\"words\": 5}; 896 1 5 -"
    );
    CHECK(
        queue.value("select string_agg(id || ' ' || error || ' ' || args, '; ' order by id) from "
                    "task_queue.dead_jobs") == R"(131 never {"job" : 131}; 512 never {"job" : 512})"
    );
    CHECK(
        queue.value("select string_agg(errors -> 0 ->> 'error', ', ' order by id) from task_queue.bundles where "
                    "state = 3") == "no \"luck\", no \"luck\""
    );
    CHECK(queue.value("select count(*) from task_queue.bundles where run_at > now() + interval '5 s'") == "4");
    CHECK(
        queue.value("select count(*) from task_queue.finished_bundles where started_at = finished_at - "
                    "interval '1.5 s'") == "2"
    );
    CHECK(changes(queue) == "4 2 2");
    CHECK(queue.holds(14));
    SECTION("and the jobs that went on finish later") {
        CHECK(finish(queue, worker, {{.row = RowId{128}, .claim = claim, .done = 0b11000000, .leavers = {}}}).empty());
        CHECK(queue.value("select members from task_queue.finished_bundles where id = 128") == "193");
        CHECK(changes(queue) == "6 2 2");
        CHECK(queue.holds(14));
    }
    SECTION("and a repeat changes and counts nothing") {
        const std::string live = queue.live_rows();
        const auto lost = finish(queue, worker, rows);
        CHECK(lost.size() == 6);  // all but the bundle that goes on
        CHECK(queue.live_rows() == live);
        CHECK(changes(queue) == "4 2 2");
        CHECK(queue.holds(14));
    }
}

TEST_CASE("finish_jobs changes nothing for a lease that is not held", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 2, .batch = batch_a});
    const WorkerId worker = queue.add_worker();
    const RowId row = queue.claim(worker, 2)[0].id;
    const std::string live = queue.live_rows();
    const Leaver leaver{.n = 1, .as = Leave::discard, .payload = "late"};
    const FinishedRow stale{.row = row, .claim = ClaimNumber{0}, .done = 1, .leavers = {leaver}};
    const FinishedRow held{.row = row, .claim = ClaimNumber{1}, .done = 1, .leavers = {leaver}};
    const FinishedRow unknown{.row = RowId{12800}, .claim = ClaimNumber{1}, .done = 1, .leavers = {}};
    CHECK(finish(queue, worker, {stale}) == std::vector<RowId>{row});
    CHECK(finish(queue, queue.add_worker(), {held}) == std::vector<RowId>{row});
    CHECK(finish(queue, worker, {unknown}) == std::vector<RowId>{RowId{12800}});
    CHECK(finish(queue, worker, {}).empty());
    CHECK(queue.live_rows() == live);
    CHECK(queue.value("select count(*) from task_queue.batch_changes") == "0");
    // Old and new outcomes of one row in a flush: only the new one counts.
    CHECK(finish(queue, worker, {stale, held}).empty());
    CHECK(changes(queue) == "1 1 0");
}

TEST_CASE("finish_jobs keeps the ten latest failures of a job", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_row({});
    const WorkerId worker = queue.add_worker();
    for (int attempt = 1; attempt <= 12; ++attempt) {
        const auto bundles = queue.claim(worker, 1);
        REQUIRE(bundles.size() == 1);
        CHECK(bundles[0].attempt == attempt);
        const Leaver leaver{.n = 0, .as = Leave::retry, .payload = fmt::format("failure {}", attempt)};
        CHECK(finish(
                  queue, worker, {{.row = bundles[0].id, .claim = ClaimNumber{queue.claims}, .leavers = {leaver}}}
        ).empty());
    }
    CHECK(
        queue.value("select errors -> 0 ->> 'attempt' || ' ' || json_array_length(errors) || ' ' || (errors -> 9 ->> "
                    "'error') from task_queue.bundles") == "3 10 failure 12"
    );
}

TEST_CASE("finish_jobs cancels instead of running a stopped job again", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 3, .batch = batch_a});
    const WorkerId worker = queue.add_worker();
    const RowId row = queue.claim(worker, 3)[0].id;
    queue.database.psql("update task_queue.bundles set cancel_requested = 7");
    const FinishedRow finished{
        .row = row,
        .claim = ClaimNumber{1},
        .done = 1,
        .leavers = {{.n = 1, .as = Leave::retry, .payload = "interrupted"}, {.n = 2, .as = Leave::snooze}}
    };
    CHECK(finish(queue, worker, {finished}).empty());
    CHECK(queue.live_rows().empty());
    CHECK(changes(queue) == "1 0 2");
    CHECK(queue.holds(3));
}

TEST_CASE("finish_jobs keeps no history that is not wanted", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 3, .batch = batch_a});
    const WorkerId worker = queue.add_worker();
    const RowId row = queue.claim(worker, 3)[0].id;
    const FinishedRow finished{
        .row = row,
        .claim = ClaimNumber{1},
        .done = 1,
        .leavers = {{.n = 1, .as = Leave::complete_with_result, .payload = "1"}, {.n = 2, .as = Leave::cancel}}
    };
    CHECK(finish(queue, worker, {finished}, {.keep_completed = false, .keep_cancelled = false}).empty());
    CHECK(queue.value("select count(*) from task_queue.finished_bundles") == "0");
    CHECK(changes(queue) == "2 0 1");
}

TEST_CASE("finish_jobs deletes the task progress of the jobs that reported and ended", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 3});
    const WorkerId worker = queue.add_worker();
    const RowId row = queue.claim(worker, 3)[0].id;
    queue.database.psql("insert into task_queue.task_progress (job_id) values (128), (129), (130)");
    const FinishedRow lost{.row = row, .claim = ClaimNumber{9}, .done = 1, .leavers = {}, .reported = 1};
    CHECK(finish(queue, worker, {lost}).size() == 1);
    CHECK(queue.value("select count(*) from task_queue.task_progress") == "3");
    const FinishedRow ended{
        .row = row,
        .claim = ClaimNumber{1},
        .done = 1,
        .leavers = {{.n = 1, .as = Leave::retry, .payload = "again"}},
        .reported = 0b111
    };
    CHECK(finish(queue, worker, {ended}).empty());
    CHECK(queue.value("select string_agg(job_id::text, ',') from task_queue.task_progress") == "130");
}

TEST_CASE("finish_jobs refuses a bad value whole, as the value's fault", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 3});
    const WorkerId worker = queue.add_worker();
    const auto bundles = queue.claim(worker, 3);
    std::vector<FinishedRow> rows;
    for (const Bundle& bundle : bundles) rows.push_back(all_done(bundle, 1));
    const std::string live = queue.live_rows();
    const auto is_data_error = [&] {
        try {
            finish(queue, worker, rows);
        } catch (const db::Error& error) {
            return error.is_data_error();
        }
        return false;
    };
    SECTION("a result that is not JSON") {
        rows[1] = {
            .row = rows[1].row,
            .claim = ClaimNumber{1},
            .leavers = {{.n = 0, .as = Leave::complete_with_result, .payload = "{"}}
        };
        CHECK(is_data_error());
        CHECK(queue.live_rows() == live);
        // Alone, the offender is found, and the others go through.
        CHECK(finish(queue, worker, {rows[0], rows[2]}).empty());
        CHECK(queue.holds(3));
    }
    SECTION("no partition for today") {
        queue.database.psql(
            "drop table task_queue.finished_bundles_" + queue.value("select to_char(now() at time zone "
                                                                    "'UTC', 'YYYY_MM_DD')")
        );
        CHECK_THROWS_AS(finish(queue, worker, rows), db::Error);
        CHECK_FALSE(is_data_error());  // no outcome is at fault
        CHECK(queue.live_rows() == live);
        queue.database.psql("select task_queue.create_partitions(0)");
        CHECK(finish(queue, worker, rows).empty());
        CHECK(queue.holds(3));
    }
}

// A request to cancel may be committed while the flush waits for the row: the flush must then end it once, and not
// leave it behind with its history written.
TEST_CASE("finish_jobs waits for a row that is being changed and ends it once", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 2, .batch = batch_a});
    const WorkerId worker = queue.add_worker();
    const auto bundles = queue.claim(worker, 2);
    boost::asio::io_context other;
    db::Session canceller = queue.database.session(other);
    db::begin(canceller);
    tests::run(other, [&] { return canceller.execute(request_cancel_sql); });
    std::thread committer([&] {
        while (queue.value("select count(*) from pg_locks where not granted") == "0") {
        }
        tests::run(other, [&] { return db::commit(canceller); });
    });
    const auto lost = finish(queue, worker, {all_done(bundles[0], 1)});
    committer.join();
    CHECK(lost.empty());
    CHECK(queue.live_rows().empty());
    CHECK(changes(queue) == "2 0 0");
    CHECK(queue.holds(2));
}

// Whoever changes several rows locks them in the order of their ids; else a flush and a cancelled batch would deadlock.
TEST_CASE("finish_jobs locks rows in the order of their ids", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 9});
    const WorkerId worker = queue.add_worker();
    auto bundles = queue.claim(worker, 9);
    std::ranges::reverse(bundles);
    std::vector<FinishedRow> rows;
    for (const Bundle& bundle : bundles) rows.push_back(all_done(bundle, 1));
    boost::asio::io_context other;
    db::Session canceller = queue.database.session(other);
    db::begin(canceller);
    tests::run(other, [&] { return canceller.execute(request_cancel_sql); });  // holds the lowest row
    std::string unlocked;
    std::thread observer([&] {
        while (queue.value("select count(*) from pg_locks where not granted") == "0") {
        }
        unlocked = queue.value(
            "select count(*) from (select from task_queue.bundles where id > 128 for update skip locked) free"
        );
        tests::run(other, [&] { return db::commit(canceller); });
    });
    CHECK(finish(queue, worker, rows).empty());
    observer.join();
    CHECK(unlocked == "8");
    CHECK(queue.holds(9));
}

// The last job left in a bundle looks like a single. Kept in the row with its args alone, it would be given none.
TEST_CASE("finish_jobs moves the last job of a bundle out of its row when it runs again", "[queue][finish][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 3});
    const WorkerId worker = queue.add_worker();
    const RowId row = queue.claim(worker, 3)[0].id;
    const std::vector<Leaver> dead{
        {.n = 0, .as = Leave::discard, .payload = "bad"}, {.n = 1, .as = Leave::discard, .payload = "bad"}
    };
    CHECK(finish(queue, worker, {{.row = row, .claim = ClaimNumber{1}, .leavers = dead}}).empty());
    const Leaver retry{.n = 2, .as = Leave::retry, .payload = "again"};
    CHECK(finish(queue, worker, {{.row = row, .claim = ClaimNumber{1}, .leavers = {retry}}}).empty());
    CHECK(queue.live_rows() == "194:4/4 1 1");
    CHECK(queue.holds(3));
}

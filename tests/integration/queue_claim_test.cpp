#include "db/transaction.hpp"
#include "queue/claim.hpp"
#include "queue/release.hpp"
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/claims.hpp"
#include "tests/support/queue_fixture.hpp"

#include <fmt/format.h>

#include <chrono>
#include <set>
#include <thread>

using namespace queue;
using tests::jobs_of;
using tests::request_of;
using tests::small_or_large;

TEST_CASE("claim_bundles keeps requests to cancel with the jobs that it cuts off", "[queue][claim][db]") {
    tests::QueueFixture queue;
    const RowId row = queue.add_row({.jobs = 4});
    const WorkerId worker = queue.add_worker();
    queue.claim(worker, 4);
    queue.database.psql(fmt::format("select task_queue.cancel({})", static_cast<long>(job_id(row, 2))));
    queue.call(release_claims(queue.session, worker, std::vector{ClaimNumber{queue.claims}}));
    queue.claim(worker, 2);  // the last two are another row now
    const std::vector<Bundle> rest = queue.claim(worker, 2);
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].cancel_requested == bit(2));
}

TEST_CASE("claim_bundles stamps what it takes and counts the attempt", "[queue][claim][db]") {
    tests::QueueFixture queue;
    const RowId row = queue.add_row({.jobs = 3});
    const WorkerId worker = queue.add_worker();
    const std::vector<Bundle> bundles = queue.claim(worker, small_or_large(10));
    REQUIRE(bundles.size() == 1);
    CHECK(bundles[0].id == row);
    CHECK(bundles[0].pending == 7);
    CHECK(bundles[0].members == 7);
    CHECK(bundles[0].attempt == 1);
    CHECK(bundles[0].max_attempts == 20);
    CHECK_FALSE(bundles[0].cut);
    CHECK_FALSE(bundles[0].batch);
    CHECK(bundles[0].args == R"([{"job" : 128}, {"job" : 129}, {"job" : 130}])");
    CHECK(
        queue.value("select state || ' ' || worker_id || ' ' || claim_number || ' ' || attempt from "
                    "task_queue.bundles") == fmt::format("2 {} 1 1", static_cast<long>(worker))
    );
    CHECK(queue.claim(worker, 10).empty());
}

TEST_CASE("claim_bundles takes the most urgent lane first, then the order of enqueue", "[queue][claim][db]") {
    tests::QueueFixture queue;
    const auto late = queue.add_rows({.rows = 2, .priority = 7});
    const auto normal = queue.add_rows({.rows = 2, .priority = 4});
    const auto urgent = queue.add_rows({.rows = 2, .priority = 0});
    ClaimRequest request = request_of(queue.add_worker(), 1, small_or_large(5));
    request.rows = 5;
    request.lanes.clear();
    for (std::int16_t priority = 0; priority <= 9; ++priority) request.lanes.push_back({QueueId{1}, priority});
    std::vector<RowId> order;
    for (const Bundle& bundle : queue.call(claim_bundles(queue.session, request))) order.push_back(bundle.id);
    CHECK(order == std::vector<RowId>{urgent[0], urgent[1], normal[0], normal[1], late[0]});
}

TEST_CASE("claim_bundles looks only between a lane's cursor and its end", "[queue][claim][db]") {
    tests::QueueFixture queue;
    const auto rows = queue.add_rows({.rows = 5});
    ClaimRequest request = request_of(queue.add_worker(), 1, small_or_large(10));
    request.lanes[0].after = rows[0];
    request.lanes[0].until = rows[3];
    std::vector<RowId> claimed;
    for (const Bundle& bundle : queue.call(claim_bundles(queue.session, request))) claimed.push_back(bundle.id);
    CHECK(claimed == std::vector<RowId>{rows[1], rows[2], rows[3]});
}

TEST_CASE("claim_bundles skips what another transaction has claimed", "[queue][claim][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 10, .jobs = 5});
    const WorkerId one = queue.add_worker();
    const WorkerId other = queue.add_worker();
    db::Session second = queue.database.session(queue.context);
    db::begin(queue.session);
    ClaimRequest request = request_of(one, 1, 23);
    request.rows = 5;  // what is looked at is locked
    const auto first = queue.call(claim_bundles(queue.session, request));
    const auto rest = queue.call(second, claim_bundles(second, request_of(other, 2, 100)));
    tests::run(queue.context, [&] { return db::commit(queue.session); });
    const auto tail = queue.call(second, claim_bundles(second, request_of(other, 3, 100)));
    std::multiset<JobId> jobs;
    for (const auto& claimed : {jobs_of(first), jobs_of(rest), jobs_of(tail)})
        jobs.insert(claimed.begin(), claimed.end());
    CHECK(jobs_of(first).size() == 23);
    CHECK(jobs_of(rest).size() == 25);  // the cut row's rest appears with the commit
    CHECK(jobs_of(tail).size() == 2);
    CHECK(jobs.size() == std::set<JobId>(jobs.begin(), jobs.end()).size());
    CHECK(queue.holds(50));
}

TEST_CASE("claim_bundles cuts what does not fit into pieces of its own size", "[queue][claim][db]") {
    struct Case {
        int jobs, want;
        std::vector<int> pieces;  // in the order of their ids, the claimed one first
    };
    for (const Case& c : std::vector<Case>{
             {63, 10, {10, 10, 10, 10, 10, 10, 3}},
             {63, 62, {62, 1}},
             {63, 63, {63}},
             {63, 1, std::vector<int>(63, 1)},
             {2, 1, {1, 1}},
             {1, 1, {1}},
             {8, 100, {8}},
         }) {
        INFO(c.jobs << " jobs, claim of " << c.want);
        tests::QueueFixture queue;
        const RowId row = queue.add_row({.jobs = c.jobs});
        const WorkerId worker = queue.add_worker();
        const auto bundles = queue.claim(worker, c.want);
        REQUIRE(bundles.size() == 1);
        CHECK(bundles[0].id == row);
        CHECK(count(bundles[0].pending) == std::min(c.want, c.jobs));
        CHECK(bundles[0].cut == (c.jobs > c.want));
        // The SQL cuts as queue::cut does.
        const std::vector<Mask> pieces = cut(first_bits(c.jobs), c.want);
        const tests::TextRows rows = queue.database.psql("select pending, state from task_queue.bundles order by id");
        REQUIRE(rows.size() == c.pieces.size());
        REQUIRE(pieces.size() == c.pieces.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            CHECK(std::stoll(rows[i][0]) == pieces[i]);
            CHECK(count(pieces[i]) == c.pieces[i]);
            CHECK(rows[i][1] == (i == 0 ? "2" : "1"));
        }
        CHECK(queue.holds(c.jobs));
    }
}

TEST_CASE("claim_bundles fills a claim with a part of the last bundle", "[queue][claim][db]") {
    tests::QueueFixture queue;
    const auto rows = queue.add_rows({.rows = 3, .jobs = 8});
    const WorkerId worker = queue.add_worker();
    const auto bundles = queue.claim(worker, 12);
    REQUIRE(bundles.size() == 2);
    CHECK(count(bundles[1].pending) == 4);
    CHECK(bundles[1].cut);
    // The rest stands right behind the cut row: a cursor there finds it.
    ClaimRequest request = request_of(worker, 9, 4);
    request.lanes[0].after = rows[1];
    const auto next = queue.call(claim_bundles(queue.session, request));
    REQUIRE(next.size() == 1);
    CHECK(jobs_of(next).front() == job_id(rows[1], 4));
    CHECK(queue.holds(24));
}

TEST_CASE("claim_bundles keeps every job's args when it cuts a bundle with gaps", "[queue][claim][db]") {
    tests::QueueFixture queue;
    queue.add_row({.jobs = 20});
    const WorkerId worker = queue.add_worker();
    // As after 8 of 20 jobs completed and the others were rescued.
    queue.database.psql("update task_queue.bundles set pending = pending & ~x'30b11'::bigint");
    const auto bundles = queue.claim(worker, 3);
    REQUIRE(bundles.size() == 1);
    CHECK(count(bundles[0].pending) == 3);
    CHECK(count(bundles[0].members) == 3 + 7);
    CHECK(queue.holds(20));
    int left = 13 - 3;
    while (left > 0) {
        const auto next = queue.claim(worker, 3);
        REQUIRE(next.size() == 1);
        left -= count(next[0].pending);
    }
    CHECK(queue.claim(worker, 3).empty());
}

TEST_CASE("claim_bundles gives kinds with rows of their own one job a row", "[queue][claim][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 2, .jobs = 5, .kind = "alone"});
    queue.add_rows({.rows = 1, .jobs = 5, .kind = "shared"});
    ClaimRequest request = request_of(queue.add_worker(), 1, 4);
    request.own_row = {KindId{std::stoi(queue.value("select id from task_queue.kinds where name = 'alone'"))}};
    const auto bundles = queue.call(claim_bundles(queue.session, request));
    REQUIRE(bundles.size() == 3);
    CHECK(count(bundles[0].pending) == 1);
    CHECK(bundles[0].cut);
    CHECK(count(bundles[1].pending) == 1);
    CHECK(count(bundles[2].pending) == 2);
    CHECK(queue.value("select count(*) from task_queue.bundles where state = 1 and kind_id = 1") == "8");
    CHECK(
        queue.value("select string_agg(task_queue.count_jobs(pending)::text, ',') from task_queue.bundles "
                    "where state = 1 and kind_id = 2") == "3"
    );
    CHECK(queue.holds(15));
}

// The statement for large claims cuts nothing: a worker that has such kinds must not use it.
TEST_CASE("a large claim gives kinds with rows of their own one job a row, too", "[queue][claim][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 2, .jobs = 5, .kind = "alone"});
    queue.add_rows({.rows = 20, .jobs = 63, .kind = "shared"});
    ClaimRequest request = request_of(queue.add_worker(), 1, 500);
    request.own_row = {KindId{std::stoi(queue.value("select id from task_queue.kinds where name = 'alone'"))}};
    const auto bundles = queue.call(claim_bundles(queue.session, request));
    REQUIRE(bundles.size() == 2 + 8);  // 2 + 7 * 63 are fewer than 500; the last row comes whole
    for (const Bundle& bundle : bundles) {
        const bool is_alone = bundle.kind == request.own_row.front();
        CHECK(count(bundle.pending) == (is_alone ? 1 : 63));
        CHECK(bundle.cut == is_alone);
    }
    CHECK(
        queue.value("select string_agg(task_queue.count_jobs(pending)::text, ',') from task_queue.bundles "
                    "where state = 1 and kind_id = (select id from task_queue.kinds where name = 'alone')"
        ) == "1,1,1,1,1,1,1,1"
    );
    CHECK(queue.holds(2 * 5 + 20 * 63));
}

TEST_CASE("claim_bundles gives nothing to a worker declared dead", "[queue][claim][db]") {
    tests::QueueFixture queue;
    queue.add_row({});
    const int jobs = small_or_large(1);
    const WorkerId worker = queue.add_worker();
    queue.kill(worker);
    CHECK(queue.claim(worker, jobs).empty());
    CHECK(queue.claim(WorkerId{999}, jobs).empty());
    CHECK(queue.value("select state from task_queue.bundles") == "1");
}

// A job may be cancelled between the moment in which the claim sees its row and the one in which it locks it. Splitting
// such a row by what was locked, while the update cannot find it, would put its jobs into two rows.
TEST_CASE("claim_bundles leaves a row that changes under it whole, for the sweep", "[queue][claim][db]") {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 2, .jobs = 20});
    const WorkerId worker = queue.add_worker();
    // Makes the claim wait after it has read a row and before it locks it.
    queue.database.psql(R"sql(
        create or replace function task_queue.count_jobs(mask bigint) returns integer language plpgsql as $$
        begin
            perform pg_advisory_xact_lock_shared(1);
            return bit_count(mask::bit(64));
        end $$)sql");
    tests::OpenTransaction holder(queue.database);
    holder.execute("select pg_advisory_xact_lock(1)");
    std::thread canceller([&] {
        while (queue.value("select count(*) from pg_locks where locktype = 'advisory' and not granted") == "0") {
        }
        queue.database.psql("update task_queue.bundles set members = members - 2, pending = pending - 2 where id = 128"
        );
        holder.commit();
    });
    const auto bundles = queue.claim(worker, 5);
    canceller.join();
    CHECK(bundles.empty());
    CHECK(
        queue.value("select string_agg(task_queue.count_jobs(pending) || ':' || state, ' ' order by id) from "
                    "task_queue.bundles") == "19:1 20:1"
    );
    const auto again = queue.claim(worker, 5);
    REQUIRE(again.size() == 1);
    CHECK(count(again[0].pending) == 5);
    CHECK(queue.holds(39));
}

TEST_CASE(
    "claim_bundles passes over kinds that it is told to skip, and locks none of their rows", "[queue][claim][db]"
) {
    tests::QueueFixture queue;
    queue.add_rows({.rows = 3, .jobs = 2, .kind = "full"});
    queue.add_rows({.rows = 2, .kind = "other"});
    ClaimRequest request = request_of(queue.add_worker(), 1, small_or_large(10));
    request.skipped = {KindId{std::stoi(queue.value("select id from task_queue.kinds where name = 'full'"))}};
    boost::asio::io_context context;
    db::Session first = queue.database.session(context);
    db::begin(first);
    const auto claimed = tests::run(context, [&] { return claim_bundles(first, request); });
    CHECK(claimed.size() == 2);
    CHECK(queue.claim(queue.add_worker(), 10).size() == 3);
    tests::run(context, [&] { return db::commit(first); });
}

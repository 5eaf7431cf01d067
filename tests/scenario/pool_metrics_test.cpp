// What a worker's /metrics say of its pool, its statements and the fleet's connections while it works.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/faults_bed.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/process.hpp"
#include "tests/support/scrape.hpp"

using namespace tests;

namespace {

void check_one_moment(const Scrape& scrape) {
    CHECK(scrape["pool_checkout_wait_seconds_count"] == scrape["pool_checkouts_total"]);
    CHECK(scrape["pool_checkout_wait_seconds_bucket{le=\"+Inf\"}"] == scrape["pool_checkouts_total"]);
    const double lent = scrape["pool_checkouts_total"] - scrape["pool_hold_seconds_count"];
    CHECK(lent >= 0);
    CHECK(lent <= scrape["pool_checked_out"]);
}

}  // namespace

TEST_CASE("a scrape shows waits, holds and statements that grow with the work", "[scenario][pool][metrics]") {
    const TestDatabase database;
    FaultBed bed(database.url());
    const WorkerProcess worker(database.url(), {}, bed.arguments());
    const std::string claims = "statement_duration_seconds_count{statement=\"claim_bundles\"}";
    const std::string claim_time = "statement_duration_seconds_sum{statement=\"claim_bundles\"}";
    bed.enqueue(20);
    bed.await_finished();
    const Scrape before = await_scrape(worker, [&](const Scrape& scrape) { return scrape[claims] > 0; });
    check_one_moment(before);
    CHECK(before["pool_opened_total"] > 0);
    CHECK(before["pool_checkout_wait_seconds_sum"] > 0);  // the first one waited for a connect
    CHECK(before["pool_hold_seconds_sum"] > 0);
    CHECK(before[claim_time] > 0);
    bed.enqueue(20);
    bed.await_finished();
    for (int i = 0; i < 50; ++i) check_one_moment(Scrape(worker));
    const Scrape after = await_scrape(worker, [&](const Scrape& scrape) { return scrape[claims] > before[claims]; });
    for (const char* const grows :
         {"pool_checkouts_total", "pool_checkout_wait_seconds_count", "pool_hold_seconds_count", "pool_hold_seconds_sum"
         }) {
        INFO(grows);
        CHECK(after[grows] > before[grows]);
    }
    CHECK(after[claim_time] > before[claim_time]);
    CHECK(after["pool_connect_failures_total"] == 0);
}

TEST_CASE("connects that fail are counted, and so is what comes after them", "[scenario][pool][metrics]") {
    OwnServer server;
    server.migrate();
    WorkerProcess worker(server.url());
    const Scrape before(worker);
    CHECK(before["pool_connect_failures_total"] == 0);
    server.stop(OwnServer::Stop::fast);
    worker.wait_for_line("cannot connect");
    const Scrape away =
        await_scrape(worker, [](const Scrape& scrape) { return scrape["pool_connect_failures_total"] > 2; });
    CHECK(away["pool_invalid_total"] > before["pool_invalid_total"]);
    CHECK(away["pool_closed_total{reason=\"invalid\"}"] == away["pool_invalid_total"]);
    server.start();
    await_scrape(worker, [&](const Scrape& scrape) {
        return scrape["pool_opened_total"] > before["pool_opened_total"] && scrape["pool_checked_in"] > 0;
    });
}

TEST_CASE("the leader's scrape shows who claims the server's connections", "[scenario][pool][metrics]") {
    const TestDatabase database;
    // Of pool_size 4 and max_overflow 2 comes 8 with the two connections beside the pool.
    const WorkerProcess worker(database.url(), {{"DB_MAX_CONNECTIONS", "20"}, {"DB_OTHER_CONNECTIONS", "5"}});
    const Scrape alone = await_scrape(worker, [](const Scrape& scrape) { return scrape["budget_workers"] == 1; });
    CHECK(alone["budget_connections{by=\"workers\"}"] == 8);
    CHECK(alone["budget_connections{by=\"other_services\"}"] == 5);
    CHECK(alone["budget_connections{by=\"reserved\"}"] == 3);
    CHECK(alone["budget_limit_connections"] == 20);
    CHECK(alone["budget_overrun_connections"] == 0);
    database.psql("update task_queue.workers set connections = 50");  // as if others had come
    await_scrape(worker, [](const Scrape& scrape) { return scrape["budget_overrun_connections"] == 38; });
}

// What a round trip of the engine is: one transaction for what finished and what is claimed, and little work a job.
#include "db/transaction.hpp"
#include "db/url.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

using namespace tests;
using namespace std::chrono_literals;

namespace {

void enqueue(const TestDatabase& database, int jobs, const std::string& more = "") {
    database.psql(fmt::format(
        "select count(*) from task_queue.enqueue_many('noop', array_fill('{{}}'::json, array[{}]){})", jobs, more
    ));
}

const std::string none_left = "select count(*) from (select from task_queue.bundles limit 1) live";

// Every write of the worker: what it did, its transaction, and whether the planner's settings were fixed for it.
void note_writes(const TestDatabase& database) {
    database.psql(
        "create table public.written (what text, xid xid8, fixed boolean);"
        "create function public.note_write() returns trigger language plpgsql as $$ begin "
        "insert into public.written values (tg_argv[0], pg_current_xact_id(), current_setting('enable_seqscan') = "
        "'off' "
        "and current_setting('plan_cache_mode') = 'force_generic_plan'); return null; end $$;"
        "create trigger finish after delete on task_queue.bundles for each row execute function "
        "public.note_write('finish');"
        "create trigger claim after update on task_queue.bundles for each row when (old.state = 1 and new.state = 2) "
        "execute function public.note_write('claim')"
    );
}

const std::filesystem::path mixed_worker =
    std::filesystem::path(TASK_WORKER_BINARY).parent_path() / "tests/mixed-worker";

}  // namespace

// One slot and nothing claimed ahead: every job that ends makes room for one, and is written by the round that claims
// it.
TEST_CASE("what finished is written in the transaction of the next claim, and its round trip", "[scenario][rounds]") {
    const TestDatabase database;
    note_writes(database);
    const FaultProxy network(db::parse_url(server_url())->hosts.front().name + "/.s.PGSQL.5432");
    constexpr int jobs = 400;
    enqueue(database, jobs, ", bundle => 1");
    const WorkerProcess worker(
        network.url(database.name()),
        {{"TASK_WORKER_WORKER_CONCURRENCY", "1"},
         {"TASK_WORKER_WORKER_PREFETCH", "0"},
         {"TASK_WORKER_WORKER_HEARTBEAT", "10m"},
         {"TASK_WORKER_WORKER_LEASE_TIMEOUT", "30m"}}
    );
    const int before = network.packets();
    database.await(none_left, "0");
    const int packets = network.packets() - before;
    INFO(packets << " round trips");
    CHECK(packets < jobs * 3 / 2);  // maintenance asks now and then
    CHECK(
        database.value(
            "select count(*) filter (where finishes) || ' finish, ' || count(*) filter (where claims) || ' claim, ' || "
            "count(*) filter (where finishes and claims) || ' do both' from (select bool_or(what = 'finish') as "
            "finishes, bool_or(what = 'claim') as claims from public.written group by xid) transactions"
        ) == fmt::format("{0} finish, {0} claim, {1} do both", jobs, jobs - 1)
    );
    CHECK(database.value("select bool_and(fixed) from public.written") == "t");
}

TEST_CASE("outcomes of every kind are written many at once", "[scenario][rounds]") {
    const TestDatabase database;
    note_writes(database);
    constexpr int jobs = 3'000;
    database.psql(fmt::format(
        "select count(*) from task_queue.enqueue_many('mixed', array(select json_build_object('do', "
        "(array['complete', 'result', 'discard', 'retry', 'throw', 'snooze'])[n % 6 + 1]) from generate_series(1, {}) "
        "n), "
        "bundle => 1)",
        jobs
    ));
    const WorkerProcess worker(database.url(), {}, {}, mixed_worker);
    database.await(none_left, "0");
    const std::string transactions = database.value("select count(distinct xid) from public.written");
    INFO(transactions << " transactions");
    CHECK(std::stoi(transactions) < jobs / 10);
}

// The worker tells how often it has allocated as the result of a job. What is left is of rows and rounds, 63 and some
// thousands of jobs each; an allocation of the engine's own for each job would be one.
TEST_CASE("a worker allocates nothing and says nothing for a job by itself", "[scenario][rounds]") {
    const TestDatabase database;
    const WorkerProcess worker(database.url(), {}, {}, mixed_worker);
    const auto allocations = [&] {
        const std::string id = database.value("select task_queue.enqueue('allocations')");
        database.await("select state from task_queue.job(" + id + ")", "completed");
        return std::stoll(database.value("select result from task_queue.job(" + id + ")"));
    };
    constexpr int jobs = 300'000;
    const std::int64_t before = allocations();
    enqueue(database, jobs);
    database.await(none_left, "0");
    const double of_job = static_cast<double>(allocations() - before) / jobs;
    fmt::print("rounds: {:.3f} allocations a job\n", of_job);
    CHECK(of_job > 0);  // they were counted at all
    CHECK(of_job < 0.5);
    CHECK(std::ranges::count(worker.output(), '\n') < 100);
}

// A worker with little to do writes everything at once; this one has other work all the while.
TEST_CASE("a job's outcome does not wait for the other jobs of its row", "[scenario][rounds]") {
    const TestDatabase database;
    const WorkerProcess worker(database.url(), {{"TASK_WORKER_WORKER_CONCURRENCY", "3"}});
    database.psql(  // its first job ends while there is a line, and so no haste
        "begin; select count(*) from task_queue.enqueue_many('echo', "
        "array['{\"sleep_ms\": 500}', '{\"sleep_ms\": 600000}']::json[], priority => 0, bundle => 2); select count(*) "
        "from task_queue.enqueue_many('echo', "
        "array_fill('{\"sleep_ms\": 5}'::json, array[20000])); commit"
    );
    database.await(
        "select (select state from task_queue.job(128)) || ' ' || (select state from task_queue.job(129))",
        "completed running"
    );
    CHECK(database.value("select count(*) > 100 from task_queue.bundles where state = 1") == "t");
}

// Jobs of a millisecond: what the slots start in the next 50 ms waits in the worker when it is told to stop.
TEST_CASE("what was claimed ahead goes back on stop, its attempt refunded", "[scenario][rounds]") {
    const TestDatabase database;
    WorkerProcess worker(database.url());
    database.psql(
        "select count(*) from task_queue.enqueue_many('echo', array_fill('{\"sleep_ms\": 1}'::json, array[100000]))"
    );
    database.await("select count(*) > 3000 from task_queue.jobs where state = 'completed'", "t");
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
    CHECK(database.value("select count(*) > 100 from task_queue.bundles") == "t");
    CHECK(
        database.value("select count(*) from task_queue.bundles where state <> 1 or attempt > 0 or rescues > 0") == "0"
    );
}

// A held snapshot keeps all index entries of jobs that are done. A claim that began at the start of the line would read
// them all; with the cursor it reads those of the last 8,000 rows at most.
TEST_CASE("under a held snapshot claims pass over few of the jobs that are done", "[scenario][rounds]") {
    const TestDatabase database;
    boost::asio::io_context context;
    db::Session reader = database.session(context);
    const db::Statement look_sql{"", "select count(*) from task_queue.queues"};
    db::begin(reader, db::Isolation::repeatable_read);
    run(context, [&] { return reader.execute(look_sql); });
    constexpr int jobs = 200'000;
    enqueue(database, jobs, ", bundle => 1");
    const std::string last = database.value("select max(id) from task_queue.bundles");
    WorkerProcess worker(database.url());
    database.await("select not exists (select from task_queue.bundles where id = " + last + ")", "t");
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
    // What a session has read is in the statistics when it has ended.
    database.await(
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'task-worker'",
        "0"
    );
    const std::string index = " from pg_stat_user_indexes where indexrelname = 'ix_bundles_queue_id_priority_id'";
    const std::int64_t read = std::stoll(database.value("select idx_tup_read" + index));
    const std::int64_t scans = std::stoll(database.value("select idx_scan" + index));
    fmt::print("rounds: {} index entries read in {} scans under a held snapshot\n", read, scans);
    // A claim scans its lane and those before it, five in all, and takes up to 1,000 rows.
    CHECK(read < 5'000 * scans);
    CHECK(read > jobs);
}

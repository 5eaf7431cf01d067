// What an idle worker costs the database, and that nobody waits for it longer because of that.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/database.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/process.hpp"
#include "tests/support/psql.hpp"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

using namespace tests;
using namespace std::chrono_literals;

namespace {

const std::string completed = "select count(*) from task_queue.jobs where state = 'completed'";
// Settings of a worker that, once asleep, looks at an empty line every 100 minutes, and beats as rarely.
Process::Environment asleep(Process::Environment more = {}) {
    more.insert({
        {"TASK_WORKER_WORKER_POLL", "10m"},
        {"TASK_WORKER_WORKER_HEARTBEAT", "10m"},
        {"TASK_WORKER_WORKER_LEASE_TIMEOUT", "30m"},
    });
    return more;
}

// Since a second after the last job the workers trust what they hear. On a slow machine a test may begin too early, and
// then shows nothing.
void await_sleep(const TestDatabase& database) {
    // The second beat is the first after it listens.
    database.await("select bool_and(hungry and beat > 1) from task_queue.workers where dead_at is null", "t");
    database.await("select count(*) from task_queue.jobs where state = 'running'", "0");
    const std::string now = database.value("select clock_timestamp()");
    database.await("select clock_timestamp() > '" + now + "'::timestamptz + interval '1500 ms'", "t");
}

void forget_late_commits(const TestDatabase& database) {
    database.psql(
        "create or replace function task_queue.wake_for_late_commits(after bigint) returns void language sql as ''"
    );
}

}  // namespace

TEST_CASE("an idle worker, the leader, sends fewer than two statements a second", "[scenario][idle][slow]") {
    OwnServer server({.server_settings = {"shared_preload_libraries=pg_stat_statements"}});
    server.migrate();
    const std::string apart = server.url("template1");  // what the count itself costs is not counted
    psql(apart, "create extension pg_stat_statements");
    const WorkerProcess worker(
        server.url(),
        {{"TASK_WORKER_WORKER_POLL", "1s"},
         {"TASK_WORKER_WORKER_HEARTBEAT", "5s"},
         {"TASK_WORKER_WORKER_LEASE_TIMEOUT", "30s"}}
    );
    psql(server.url(), "select task_queue.enqueue('noop')");
    std::this_thread::sleep_for(10s);  // what is measured is time without an event
    psql(apart, "select pg_stat_statements_reset()");
    constexpr int seconds = 20;
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
    const TextRows calls = psql(
        apart,
        "select calls, left(query, 80) from pg_stat_statements s join pg_database d on d.oid = s.dbid "
        "where d.datname = 'postgres' order by calls desc"
    );
    int sum = 0;
    for (const auto& row : calls) {
        UNSCOPED_INFO(row.at(0) << " " << row.at(1));
        sum += std::stoi(row.at(0));
    }
    fmt::print("an idle worker: {} statements in {} s\n", sum, seconds);
    CHECK(sum >= seconds / 2);  // it was counted at all
    CHECK(sum < 2 * seconds);
}

TEST_CASE("a sleeping worker hears of a job by the notification alone", "[scenario][idle]") {
    const TestDatabase database;
    forget_late_commits(database);
    const WorkerProcess worker(database.url(), asleep());
    await_sleep(database);
    database.psql("select task_queue.enqueue('noop')");
    database.await(completed, "1");
}

TEST_CASE("a worker whose claim failed does not forget what it was woken for", "[scenario][idle]") {
    const TestDatabase database;
    forget_late_commits(database);
    database.psql(
        "create table public.refusing (); insert into public.refusing default values;"
        "create function public.refuse() returns trigger language plpgsql as $$ begin "
        "if exists (select from public.refusing) then raise exception 'refused'; end if; return new; end $$;"
        "create trigger refuse before update on task_queue.bundles for each row when (new.state = 2) "
        "execute function public.refuse()"
    );
    WorkerProcess worker(database.url(), asleep());
    await_sleep(database);
    database.psql("select task_queue.enqueue('noop')");
    worker.wait_for_line("claiming and writing failed");
    database.psql("truncate public.refusing");
    database.await(completed, "1");
}

TEST_CASE("a job whose enqueue notified nobody waits for the leader's next look", "[scenario][idle]") {
    const TestDatabase database;
    const WorkerProcess worker(database.url(), asleep());
    await_sleep(database);
    // Enqueued before the worker was hungry, committed after it had looked.
    database.psql(
        "update task_queue.workers set hungry = false; select task_queue.enqueue('noop'); "
        "update task_queue.workers set hungry = true"
    );
    database.await(completed, "1");
}

TEST_CASE("a sleeping worker notices a queue that is added, paused and resumed", "[scenario][idle][queue]") {
    const TestDatabase database;
    forget_late_commits(database);
    const WorkerProcess worker(database.url(), asleep());
    await_sleep(database);
    database.psql("insert into task_queue.queues (name) values ('added')");
    database.psql("select task_queue.enqueue('noop', '{}', queue => 'added')");
    database.await(completed, "1");
    database.psql("update task_queue.queues set paused = true where name = 'added'");
    database.psql("select task_queue.enqueue('noop', '{}', queue => 'added')");
    database.psql("select task_queue.enqueue('noop')");
    database.await(completed, "2");
    CHECK(database.value("select string_agg(queue, ',') from task_queue.jobs where state = 'available'") == "added");
    await_sleep(database);
    database.psql("update task_queue.queues set paused = false");
    database.await(completed, "3");
}

TEST_CASE("a redriven job starts without waiting for a poll", "[scenario][idle]") {
    const TestDatabase database;
    forget_late_commits(database);
    const WorkerProcess worker(database.url(), asleep());
    await_sleep(database);
    database.psql(
        "insert into task_queue.dead_jobs (id, created_at, kind_id, queue_id, priority, attempt, max_attempts, error, "
        "args) values (128, now(), task_queue.intern_kind('noop'), 1, 4, 20, 20, 'x', '{}')"
    );
    const Finished redriven = run_command({
        .words = {TASK_WORKER_BINARY, "dead", "redrive", "128"},
        .environment = {{"DATABASE_URL", database.url()}},
    });
    INFO(redriven.errors);
    CHECK(redriven.code == 0);
    database.await(completed, "1");
}

TEST_CASE("another worker leads soon after the leader was killed, and starts what is due", "[scenario][idle]") {
    const TestDatabase database;
    WorkerProcess leader(database.url(), asleep());
    leader.wait_for_line("leading");
    WorkerProcess follower(database.url(), asleep());
    await_sleep(database);
    leader.signal(SIGKILL);
    leader.wait_exit();
    const auto since = std::chrono::steady_clock::now();
    database.psql("select task_queue.enqueue('noop', '{}', delay => '100 ms')");
    database.await(completed, "1");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - since;
    fmt::print("leader killed: a scheduled job had run {:.1f} s later\n", took.count());
    CHECK(database.value("select worker_id from task_queue.leaders") == "2");
}

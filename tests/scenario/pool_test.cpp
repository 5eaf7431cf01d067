// What the database settings promise of a whole worker process.
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/database.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/process.hpp"
#include "tests/support/psql.hpp"

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

using namespace tests;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

// A worker of pool_size 4 and max_overflow 2 takes 8 connections; the server keeps 3 for itself.
Process::Environment room_for(int connections) {
    return {{"DB_MAX_CONNECTIONS", std::to_string(connections)}};
}

// The worker polls so seldom that only a notification can make it look.
Process::Environment patient(Process::Environment environment = {}) {
    environment.insert({{"TASK_WORKER_WORKER_POLL", "60s"}, {"TASK_WORKER_WORKER_CONCURRENCY", "1"}});
    return environment;
}

const std::string listening =
    "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'";
const std::string hungry = "select bool_and(hungry) from task_queue.workers where dead_at is null";
const std::string finished = "select count(*) from task_queue.jobs where state = 'completed'";

}  // namespace

TEST_CASE(
    "budget: of three workers that would overrun the server the third is refused, with the table",
    "[scenario][pool][setting]"
) {
    OwnServer server({.server_settings = {"max_connections=20"}});
    server.migrate();
    const WorkerProcess first(server.url());
    const WorkerProcess second(server.url());
    std::string refusal;
    try {
        const WorkerProcess third(server.url());
    } catch (const std::exception& error) {
        refusal = error.what();
    }
    CHECK_THAT(refusal, Contains("the connection budget is refused"));
    CHECK_THAT(
        refusal, Contains("pid " + std::to_string(first.pid())) && Contains("pid " + std::to_string(second.pid()))
    );
    CHECK_THAT(
        refusal, Contains("(this one)") && Contains("overruns the server's max_connections (20) by 7: 27 claimed")
    );
    CHECK(psql(server.url(), "select count(*) from task_queue.workers where dead_at is null").at(0).at(0) == "2");
}

TEST_CASE("budget: warn lets a worker start that overruns, and says so", "[scenario][pool][setting]") {
    const TestDatabase database;
    Process::Environment environment = room_for(9);
    environment["DB_BUDGET"] = "warn";
    const WorkerProcess worker(database.url(), environment);
    CHECK_THAT(worker.output(), Contains("overruns database.max_connections (9) by 2: 11 claimed"));
}

TEST_CASE("other_connections counts against the server", "[scenario][pool][setting]") {
    const TestDatabase database;
    Process::Environment environment = room_for(20);
    const WorkerProcess fits(database.url(), environment);
    environment["DB_OTHER_CONNECTIONS"] = "5";
    CHECK_THROWS_WITH(WorkerProcess(database.url(), environment), Contains("by 4: 24 claimed"));
}

TEST_CASE("the leader says when the fleet no longer fits the server, and when it does again", "[scenario][pool]") {
    const TestDatabase database;
    Process::Environment environment = room_for(12);
    WorkerProcess worker(database.url(), environment);
    database.psql("update task_queue.workers set connections = 50");  // as if others had come
    CHECK_THAT(worker.wait_for_line("overruns database.max_connections (12) by 41"), Contains("warn"));
    database.psql("update task_queue.workers set connections = 8");
    worker.wait_for_line("fits the connection budget again");
}

TEST_CASE("a worker's pool has the settings of its configuration", "[scenario][pool][setting]") {
    const TestDatabase database;
    WorkerProcess worker(database.url(), {{"DB_POOL_SIZE", "3"}, {"DB_STATEMENT_TIMEOUT", "1s"}});
    CHECK_THAT(http_get(worker, "/metrics"), Contains("\ntask_worker_pool_size 3\n"));
    OpenTransaction blocker(database);
    blocker.execute("lock table task_queue.bundles in access exclusive mode");
    // Of the pool, which claims bundles or a suspect: the control session has a limit of its own.
    worker.wait_for_line("canceling statement due to statement timeout [57014] in claim_", 20s);
}

TEST_CASE("what the server has to say beside its answers is in the log", "[scenario][pool]") {
    const TestDatabase database;
    WorkerProcess worker(database.url());
    database.psql(
        "create function warn() returns trigger language plpgsql as "
        "$$ begin raise warning 'mind the gap'; raise notice 'all is well'; return null; end $$"
    );
    database.psql("create trigger warn after update on task_queue.workers execute function warn()");
    CHECK_THAT(worker.wait_for_line("mind the gap"), Contains("\"warn\"") && Contains("\"from\":\"server\""));
    CHECK_THAT(worker.wait_for_line("all is well"), Contains("\"info\""));
}

TEST_CASE("echo: every statement is logged with its duration, and no parameter", "[scenario][pool][setting]") {
    const TestDatabase database;
    WorkerProcess worker(database.url(), {{"DB_ECHO", "true"}});
    database.psql("select task_queue.enqueue('echo', '{\"token\": \"hunter2\"}')");
    database.await(finished, "1");
    const std::string line = worker.wait_for_line("\"statement\":\"claim_bundles\"");
    CHECK_THAT(line, Contains("\"ms\":"));
    CHECK_THAT(worker.output(), !Contains("hunter2") && !Contains("select "));
}

TEST_CASE("echo: without it no statement is logged", "[scenario][pool][setting]") {
    const TestDatabase database;
    const WorkerProcess worker(database.url());
    database.psql("select task_queue.enqueue('echo', '{}')");
    database.await(finished, "1");
    CHECK_THAT(worker.output(), !Contains("\"statement\":\"claim_bundles\"") && !Contains("\"ms\":"));
}

TEST_CASE("a worker whose listening connection is cut listens again, and hears", "[scenario][pool]") {
    const TestDatabase database;
    WorkerProcess worker(database.url(), patient());
    database.await(listening, "1");
    database.psql(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike "
        "'listen%'"
    );
    worker.wait_for_line("listening again");
    database.await(hungry, "t");
    database.psql("select task_queue.enqueue('noop', '{}')");
    database.await(finished, "1");
}

TEST_CASE("direct_url: behind a pooler it is what LISTEN goes through", "[scenario][pool][setting]") {
    const TestDatabase database;
    Process::Environment environment = patient({{"DB_POOLER", "transaction"}});
    {
        const WorkerProcess without(database.url(), environment);
        database.await(hungry, "t");
        CHECK(database.value(listening) == "0");
    }
    environment["DATABASE_DIRECT_URL"] = database.url() + "&application_name=direct-way";
    const WorkerProcess worker(database.url(), environment);
    database.await(listening + " and application_name = 'direct-way'", "1");
    database.await(hungry, "t");
    database.psql("select task_queue.enqueue('noop', '{}')");
    database.await(finished, "1");
}

TEST_CASE("check shows what the fleet claims and whether one more fits, as a table and as JSON", "[scenario][pool]") {
    const TestDatabase database;
    const WorkerProcess worker(database.url(), room_for(20));
    const auto check = [&](const std::string& most, std::vector<std::string> more) {
        std::vector<std::string> words{TASK_WORKER_BINARY, "check"};
        words.insert(words.end(), more.begin(), more.end());
        return run_command(
            {.words = words,
             .environment =
                 {
                     {"DATABASE_URL", database.url()},
                     {"DB_POOL_SIZE", "4"},
                     {"DB_MAX_OVERFLOW", "2"},
                     {"DB_OTHER_CONNECTIONS", "1"},
                     {"DB_MAX_CONNECTIONS", most},
                 }}
        );
    };
    const Finished fits = check("20", {});
    INFO(fits.output << fits.errors);
    CHECK(fits.code == 0);
    CHECK_THAT(fits.output, Contains("pid " + std::to_string(worker.pid()) + "  ") && Contains("other services"));
    CHECK_THAT(fits.output, Catch::Matches("(.|\n)*claimed +12\n(.|\n)*limit +20\n(.|\n)*"));
    CHECK_THAT(fits.output, Contains("one more worker with this configuration takes 8: it fits, with 0 to spare"));
    const Finished overruns = check("19", {"--json"});
    CHECK(overruns.code == 5);
    CHECK_THAT(overruns.output, Contains("pid " + std::to_string(worker.pid()) + "\", \"connections\": 8}"));
    CHECK_THAT(overruns.output, Contains("lower database.pool_size") && Contains("put a PgBouncer between"));
    CHECK_THAT(overruns.output, Contains("\"claimed\": 12, \"limit\": 19, \"next_worker\": 8, \"fits\": false"));
}

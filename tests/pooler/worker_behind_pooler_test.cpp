// Worker processes behind a PgBouncer in transaction mode, with a direct way past it and without.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/database.hpp"
#include "tests/support/faults_bed.hpp"
#include "tests/support/pgbouncer.hpp"
#include "tests/support/temporary_folder.hpp"

#include <string>
#include <vector>

using namespace tests;
using Catch::Contains;

namespace {

std::string server_folder() {
    return psql(server_url(), "show unix_socket_directories").at(0).at(0);
}

const std::string listeners =
    "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'";

struct PoolerBed {
    TestDatabase database;
    FaultBed bed{database.url()};
    PgBouncer pooler{server_folder()};

    Process::Environment environment(bool direct) const {
        Process::Environment all = FaultBed::environment({{"DB_POOLER", "transaction"}});
        if (direct) all["DATABASE_DIRECT_URL"] = database.url();
        return all;
    }
    std::string url() const { return pooler.url(database.name()); }
};

}  // namespace

TEST_CASE("workers behind a pooler run every job once", "[pooler][worker]") {
    PoolerBed test;
    const bool direct = GENERATE(true, false);
    INFO("direct_url " << direct);
    const WorkerProcess one(test.url(), test.environment(direct), test.bed.arguments());
    const WorkerProcess two(test.url(), test.environment(direct), test.bed.arguments());
    test.bed.enqueue(200);
    test.bed.await_finished();
    CHECK(test.bed.loss().empty());
    CHECK(test.bed.value("select max(attempt) from task_queue.finished_bundles") == "1");
    CHECK(test.bed.value("select count(*) from task_queue.workers where dead_at is null") == "2");
    for (const WorkerProcess* worker : {&one, &two}) CHECK_THAT(worker->output(), !Contains("\"level\":\"warn"));
}

TEST_CASE("a worker behind a pooler hears of new jobs by direct_url", "[pooler][worker]") {
    PoolerBed test;
    const WorkerProcess worker(test.url(), test.environment(true), test.bed.arguments());
    test.bed.await(listeners, "1");
    test.bed.enqueue(1);
    test.bed.await_finished();
    CHECK(test.bed.loss().empty());
}

TEST_CASE("a worker behind a pooler without direct_url polls", "[pooler][worker]") {
    PoolerBed test;
    const WorkerProcess worker(test.url(), test.environment(false), test.bed.arguments());
    test.bed.await("select hungry from task_queue.workers", "t");
    test.bed.enqueue(1);
    test.bed.await_finished();
    CHECK(test.bed.value(listeners) == "0");
}

TEST_CASE("a worker that hears nothing notices cancelled jobs and paused queues", "[pooler][worker]") {
    PoolerBed test;
    Process::Environment environment = test.environment(false);
    environment["TASK_WORKER_WORKER_HEARTBEAT"] = "10m";
    environment["TASK_WORKER_WORKER_LEASE_TIMEOUT"] = "30m";
    const TemporaryFolder folder;
    folder.write("config.yml", "handlers:\n  sleep:\n    exec: [sleep, '600']\n");
    const WorkerProcess worker(test.url(), environment, {"--config", folder.path() + "/config.yml"});
    test.bed.sql("update task_queue.queues set paused = true");
    test.bed.await("select beat >= 3 from task_queue.workers", "t");
    test.bed.sql("select task_queue.enqueue('sleep')");
    test.bed.await("select beat >= 5 from task_queue.workers", "t");
    CHECK(test.bed.value("select state from task_queue.jobs") == "available");
    test.bed.sql("update task_queue.queues set paused = false");
    test.bed.await("select state from task_queue.jobs", "running");
    test.bed.sql("select task_queue.cancel(id) from task_queue.jobs");
    test.bed.await("select state from task_queue.jobs", "cancelled");
}

TEST_CASE("migrations go past the pooler", "[pooler][migrate]") {
    const TestDatabase database(TestDatabase::Content::empty);
    const Finished finished = run_command({
        .words = {TASK_WORKER_BINARY, "migrate", "up"},
        .environment =
            {{"DATABASE_URL", "postgresql://postgres@/postgres?host=/no/pooler/here"},
             {"DB_POOLER", "transaction"},
             {"DATABASE_DIRECT_URL", database.url()}},
        .folder = "/",
    });
    INFO(finished.errors);
    CHECK(finished.code == 0);
    CHECK(database.value("select to_regclass('task_queue.bundles') is not null") == "t");
}

TEST_CASE("without direct_url migrations go through the pooler", "[pooler][migrate]") {
    const TestDatabase database(TestDatabase::Content::empty);
    const PgBouncer pooler(server_folder());
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"up"}, {"status"}, {"down", "--to", "0"}, {"up"}}) {
        std::vector<std::string> command{TASK_WORKER_BINARY, "migrate"};
        command.insert(command.end(), words.begin(), words.end());
        const Finished finished = run_command({
            .words = command,
            .environment = {{"DATABASE_URL", pooler.url(database.name())}, {"DB_POOLER", "transaction"}},
            .folder = "/",
        });
        INFO(words.front() << ": " << finished.errors);
        CHECK(finished.code == 0);
    }
    CHECK(database.value("select to_regclass('task_queue.bundles') is not null") == "t");
}

TEST_CASE("what workers open at a pooler does not count against the server", "[pooler][worker]") {
    PoolerBed test;
    const bool direct = GENERATE(true, false);
    Process::Environment environment = test.environment(direct);
    environment["DB_MAX_CONNECTIONS"] = "20";
    const WorkerProcess one(test.url(), environment, test.bed.arguments());
    const WorkerProcess two(test.url(), environment, test.bed.arguments());
    const WorkerProcess three(test.url(), environment, test.bed.arguments());
    CHECK(
        test.database.value("select sum(connections) from task_queue.workers where dead_at is null") ==
        (direct ? "3" : "0")
    );
    environment["DB_OTHER_CONNECTIONS"] = "40";
    environment["DATABASE_URL"] = test.url();
    const Finished check =
        run_command({.words = {TASK_WORKER_BINARY, "check"}, .environment = environment, .folder = "/"});
    CHECK(check.code == 5);
    CHECK_THAT(check.errors, Contains("lower database.other_connections") && !Contains("PgBouncer"));
}

TEST_CASE("a pooler that is not configured is named, whether it passes start-up options on or not", "[pooler]") {
    PoolerBed test;
    const auto check = [&](const PgBouncer& pooler, Process::Environment environment) {
        environment["DATABASE_URL"] = pooler.url(test.database.name());
        return run_command({.words = {TASK_WORKER_BINARY, "check"}, .environment = environment, .folder = "/"});
    };
    const auto is_named = [](const Finished& finished) {
        INFO(finished.errors);
        CHECK(finished.code == 2);
        CHECK_THAT(finished.errors, Contains("a connection pooler stands in front of the database"));
        CHECK_THAT(finished.errors, Contains("DB_POOLER"));
    };
    SECTION("it refuses them") {
        const Finished finished = run_command({
            .words = {TASK_WORKER_BINARY, "batch", "list"},
            .environment = {{"DATABASE_URL", test.url()}},
            .folder = "/",
        });
        is_named(finished);
        is_named(check(test.pooler, {}));
        CHECK_THROWS_WITH(
            WorkerProcess(test.url(), FaultBed::environment(), test.bed.arguments()),
            Contains("a connection pooler stands in front of the database") && !Contains("waiting for the database")
        );
    }
    SECTION("it ignores them, and the only server connection has another client's prepared statements") {
        const PgBouncer narrow(server_folder(), {.pool_size = 1, .more = "ignore_startup_parameters = options\n"});
        is_named(check(narrow, {}));
        is_named(check(narrow, {}));
        const std::vector<std::string> list{TASK_WORKER_BINARY, "batch", "list"};
        const Process::Environment environment{{"DATABASE_URL", narrow.url(test.database.name())}};
        run_command({.words = list, .environment = environment, .folder = "/"});  // who prepares first, goes through
        is_named(run_command({.words = list, .environment = environment, .folder = "/"}));
        Process worker(
            TASK_WORKER_BINARY,
            {"run"},
            {{"DATABASE_URL", narrow.url(test.database.name())}, {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"}}
        );
        CHECK_THAT(
            worker.wait_for_line("a connection pooler stands in front of the database"),
            !Contains("the database cannot be reached")
        );
        CHECK_THAT(worker.output(), !Contains("waiting for the database"));
    }
    SECTION("it is sent none") {
        is_named(check(test.pooler, {{"DB_STATEMENT_TIMEOUT", "0"}}));
    }
    SECTION("it ignores them") {
        const PgBouncer lenient(server_folder(), {.more = "ignore_startup_parameters = options\n"});
        WorkerProcess worker(lenient.url(test.database.name()), FaultBed::environment(), test.bed.arguments());
        CHECK_THAT(
            worker.wait_for_line("a connection pooler stands in front of the database"),
            Contains("\"level\":\"warn") && Contains("DB_POOLER")
        );
        is_named(check(lenient, {}));
        CHECK(check(lenient, {{"DB_POOLER", "transaction"}}).code == 0);
    }
}

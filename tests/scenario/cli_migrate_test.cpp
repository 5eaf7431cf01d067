// migrate and check: the real program against a real database.

#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shell.hpp"

#include <csignal>
#include <stdexcept>

using namespace tests;

namespace {

// Returns when some session has waited for a lock for a second.
void await_long_blocked(const TestDatabase& database) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (database.value(
               "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' "
               "and clock_timestamp() - query_start > interval '1 s'"
           ) == "0") {
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("nobody waits so long for a lock");
    }
}

}  // namespace

TEST_CASE("migrate goes up, shows where it is, and down", "[worker][cli][scenario]") {
    const TestDatabase database(TestDatabase::Content::empty);
    const Shell shell(database.url());
    CHECK(holds(shell.run({"migrate", "status"}).output, "pending"));
    const Finished up = shell.run({"migrate", "up"});
    CHECK(up.code == 0);
    CHECK(holds(up.output, "applying 0001_create_queue\n"));
    CHECK(shell.run({"migrate", "up"}).output == "nothing to apply\n");
    CHECK_FALSE(holds(shell.run({"migrate", "status"}).output, "pending"));
    CHECK(holds(shell.run({"migrate", "status", "--json"}).output, "{\"version\": 1, \"name\": \"0001_create_queue\""));
    CHECK(holds(shell.run({"migrate", "down"}).output, "taking back 00"));
    CHECK(holds(shell.run({"migrate", "status"}).output, "pending"));
    CHECK(shell.run({"migrate", "down", "--to", "0"}).code == 0);
    CHECK(shell.run({"migrate", "down"}).output == "nothing to take back\n");
}

TEST_CASE("statement_timeout: a migration may take longer", "[worker][cli][scenario][setting]") {
    const TestDatabase database(TestDatabase::Content::empty);
    const Process::Environment environment{
        {"DATABASE_URL", database.url()},
        {"DB_STATEMENT_TIMEOUT", "300ms"},
        {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"},
        {"TASK_WORKER_MIGRATE_ON_START", "true"},
    };
    OpenTransaction other(database);
    other.execute("select pg_advisory_xact_lock(7105131202611211)");
    SECTION("by migrate up") {
        Process migrate(TASK_WORKER_BINARY, {"migrate", "up"}, environment);
        await_long_blocked(database);
        other.rollback();
        CHECK(migrate.wait_exit() == 0);
    }
    SECTION("of a worker that starts") {
        Process worker(TASK_WORKER_BINARY, {"run"}, environment);
        await_long_blocked(database);
        other.rollback();
        worker.wait_for_line("0002_create_enqueue");
        worker.signal(SIGTERM);
        CHECK(worker.wait_exit() == 0);
    }
    CHECK(database.value("select to_regclass('task_queue.bundles') is not null") == "t");
}

TEST_CASE(
    "echo and the server's notices: those of migrations, and of commands, too", "[worker][cli][scenario][setting]"
) {
    const TestDatabase database(TestDatabase::Content::empty);
    database.psql(
        "create function warn() returns event_trigger language plpgsql as "
        "$$ begin raise warning 'mind the gap'; end $$"
    );
    database.psql("create event trigger warn on ddl_command_end execute function warn()");
    const Process::Environment environment{
        {"DATABASE_URL", database.url()},
        {"DB_ECHO", "true"},
        {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"},
        {"TASK_WORKER_MIGRATE_ON_START", "true"},
    };
    const auto command = [&](std::vector<std::string> words) {
        words.insert(words.begin(), TASK_WORKER_BINARY);
        const Finished done = run_command({.words = words, .environment = environment, .folder = "/"});
        INFO(done.errors);
        CHECK(done.code == 0);
        return done;
    };
    SECTION("by migrate up") {
        const Finished done = command({"migrate", "up"});
        CHECK(holds(done.errors, "mind the gap"));
        CHECK(holds(done.errors, "\"statement\":\"write_ledger\""));
        CHECK(holds(command({"batch", "list"}).errors, "\"statement\":\"list_batches\""));
    }
    SECTION("of a worker that starts") {
        Process worker(TASK_WORKER_BINARY, {"run"}, environment);
        CHECK(holds(worker.wait_for_line("mind the gap"), "\"from\":\"server\""));
        worker.wait_for_line("\"statement\":\"write_ledger\"");
        worker.signal(SIGTERM);
        CHECK(worker.wait_exit() == 0);
    }
}

TEST_CASE("migrate sql prints what migrate up does", "[worker][cli][scenario]") {
    const TestDatabase database(TestDatabase::Content::empty);
    const Shell shell(database.url());
    const Finished sql = Shell("").run({"migrate", "sql"});
    REQUIRE(sql.code == 0);
    database.psql(sql.output);
    CHECK(shell.run({"migrate", "up"}).output == "nothing to apply\n");
    CHECK_FALSE(holds(shell.run({"migrate", "status"}).output, "another text"));
    CHECK(shell.run({"enqueue", "echo"}).code == 0);
}

TEST_CASE("check shows values with their sources, the schema and the budget", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    shell.folder.write("config.yml", "database:\n  pool_size: 3\n  max_overflow: 4\n");
    const Finished fits = shell.run({"check"});
    INFO(fits.output << fits.errors);
    CHECK(fits.code == 0);
    CHECK(holds(fits.output, "config.yml:2"));
    CHECK(holds(fits.output, "environment variable DATABASE_URL"));
    CHECK(holds(fits.output, "PostgreSQL 15."));
    CHECK(holds(fits.output, "schema current"));
    CHECK(holds(fits.output, "one more worker with this configuration takes 9: it fits"));
    CHECK(holds(shell.run({"check", "--json"}).output, "\"schema\": \"current\""));

    CHECK(shell.run({"check", "--set", "database.max_connections=5"}).code == 5);
    CHECK(shell.run({"check", "--set", "database.max_connections=5", "--set", "database.budget=warn"}).code == 0);
    CHECK(Shell("").run({"check"}).code == 0);
    CHECK(Shell("").run({"check", "--url", "postgresql://postgres:secret@127.0.0.1:1/d"}).code == 3);
    CHECK_FALSE(holds(Shell("").run({"check", "--url", "postgresql://postgres:secret@127.0.0.1:1/d"}).output, "secret")
    );
}

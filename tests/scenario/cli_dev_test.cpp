// `dev` on a folder of one's own, and how the other commands find it.

#include "tests/support/catch.hpp"
#include "tests/support/shell.hpp"

#include <filesystem>
#include <string>

using namespace tests;

TEST_CASE("other commands find the database of dev --data DIR with the same --data DIR", "[worker][cli][scenario]") {
    const Shell shell("");
    std::filesystem::permissions(shell.folder.path(), std::filesystem::perms(0755));  // for user postgres
    shell.refuses({"batch", "list", "--data", "mine"}, 3, "start it with task-worker dev --data mine");
    Command start = shell.command({"dev", "--data", "mine"});
    start.environment["TASK_WORKER_HTTP_LISTEN"] = "127.0.0.1:0";
    Child dev(start);
    dev.wait_for("other commands find it with --data mine");
    dev.wait_for("\"ready\"");

    CHECK(shell.run({"--data", "mine", "enqueue", "echo", "-q"}).output == "128\n");
    CHECK(shell.run({"worker", "list", "--data", "mine", "--json"}).code == 0);
    CHECK(holds(shell.run({"check", "--data", "mine"}).output, "task-worker dev"));
    shell.refuses({"batch", "list", "--data", "mine", "--url", "postgresql://h/d"}, 2, "--data and --url each name");

    // --data goes before the database that the environment names.
    Command elsewhere = shell.command({"batch", "list", "--data", "mine"});
    elsewhere.environment["DATABASE_URL"] = "postgresql://postgres@127.0.0.1:1/d";
    CHECK(run_command(elsewhere).output == "no batches\n");

    CHECK(shell.run({"dev", "stop", "--data", "mine"}).code == 0);
    CHECK(dev.wait().code == 0);
}

TEST_CASE("dev sets a schema of another build aside and makes its own", "[worker][cli][scenario]") {
    const Shell shell("");
    std::filesystem::permissions(shell.folder.path(), std::filesystem::perms(0755));  // for user postgres
    Command start = shell.command({"dev", "--data", "mine"});
    start.environment["TASK_WORKER_HTTP_LISTEN"] = "127.0.0.1:0";
    {
        Child dev(start);
        dev.wait_for("\"ready\"");
        CHECK(shell.run({"--data", "mine", "enqueue", "echo", "-q"}).code == 0);
        const std::string another = "update task_queue.migrations set checksum = 'another' where version = 1";
        CHECK(shell.run({"dev", "psql", "--data", "mine", "--", "-c", another}).code == 0);
        CHECK(shell.run({"dev", "stop", "--data", "mine"}).code == 0);
        CHECK(dev.wait().code == 0);
    }
    Child dev(start);
    dev.wait_for("another build of task-worker made this database's schema");
    dev.wait_for("\"ready\"");
    CHECK(shell.run({"--data", "mine", "enqueue", "echo", "-q"}).output == "128\n");
    const std::string kept =
        "select count(*) from pg_tables where tablename = 'bundles' and schemaname ~ '^task_queue_1'";
    CHECK(holds(shell.run({"dev", "psql", "--data", "mine", "--", "-Atc", kept}).output, "1"));
    CHECK(shell.run({"dev", "stop", "--data", "mine"}).code == 0);
    CHECK(dev.wait().code == 0);
}

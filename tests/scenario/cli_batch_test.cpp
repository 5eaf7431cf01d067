// batch: the real program against a real database.

#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/shell.hpp"

#include <signal.h>

using namespace tests;

namespace {

// Finishes every job of the database as a worker would, so that the batches can end.
void complete_all(const TestDatabase& database) {
    database.psql(
        "insert into task_queue.batch_changes (batch_id, completed) "
        "select batch_id, sum(task_queue.count_jobs(pending)) from task_queue.bundles where batch_id is not null group "
        "by 1; "
        "delete from task_queue.bundles; select task_queue.fold_batch_changes(0, 10000)"
    );
}

}  // namespace

TEST_CASE("batch shows, lists, seals and cancels", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    REQUIRE(shell.run({"enqueue", "echo", "--batch", "photos", "--open", "--on-finish", "noop"}).code == 0);
    const Finished shown = shell.run({"batch", "show", "photos"});
    CHECK(shown.code == 0);
    CHECK(holds(shown.output, "0/1 0 %"));
    CHECK(holds(shown.output, "on finish  noop"));
    const Finished json = shell.run({"batch", "show", "photos", "--json"});
    CHECK(holds(json.output, "\"state\": \"open\", \"round\": 1, \"total\": 1, \"completed\": 0, \"discarded\": 0"));
    CHECK(holds(shell.run({"batch", "list"}).output, "photos"));
    shell.refuses({"batch", "show", "photo"}, 1, "there is no batch \"photo\": did you mean photos?");
    CHECK(shell.run({"batch", "seal", "photos"}).output == "batch photos sealed\n");
    CHECK(shell.run({"batch", "seal", "photos"}).output == "batch photos was sealed before\n");
    CHECK(holds(shell.run({"batch", "cancel", "photos", "--yes"}).output, "cancelled 1 job"));
    CHECK(database.value("select cancelled from task_queue.batch_status((select id from task_queue.batches))") == "1");
}

TEST_CASE("batch watch ends with the batch: 0, or 1 with failures", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    Child watching(shell.command({"enqueue", "echo", "--args", "{}", "--batch", "good", "--watch"}));
    watching.wait_for("no worker is running");
    watching.wait_for("0/1 0 %");
    complete_all(database);
    const Finished good = watching.wait();
    CHECK(good.code == 0);
    CHECK(holds(good.output, "1/1 100 %"));

    REQUIRE(shell.run({"enqueue", "echo", "--batch", "bad"}).code == 0);
    REQUIRE(shell.run({"batch", "cancel", "bad", "--yes"}).code == 0);
    database.psql("select task_queue.fold_batch_changes(0, 10000)");
    const Finished bad = shell.run({"batch", "watch", "bad", "--json"});
    CHECK(bad.code == 1);
    CHECK(holds(bad.output, "\"final\": true}\n"));
    CHECK(holds(bad.errors, "1 of 1 job failed: see task-worker batch show "));
}

TEST_CASE("batch watch at Ctrl-C says that the batch goes on", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    Child watching(shell.command({"enqueue", "echo", "--batch", "b", "--watch"}));
    watching.wait_for("0/1 0 %");
    watching.signal(SIGINT);
    const Finished finished = watching.wait();
    INFO(finished.errors);
    CHECK(finished.code == 130);
    CHECK(holds(finished.errors, "the batch goes on: watch it again with task-worker batch watch "));
    CHECK(database.value("select count(*) from task_queue.jobs") == "1");
}

TEST_CASE("batch cancel goes on until a batch of many rows is empty", "[worker][cli][batch][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    database.psql(
        "select task_queue.create_batch('00000000-0000-0000-0000-000000000001', name => 'big');"
        "select task_queue.enqueue_many('echo', array_fill('{}'::json, array[10001]), bundle => 1, "
        "batch_id => '00000000-0000-0000-0000-000000000001')"
    );
    CHECK(holds(shell.run({"batch", "cancel", "big", "--yes"}).output, "cancelled 10001 jobs"));
    CHECK(database.value("select count(*) from task_queue.bundles") == "0");
}

TEST_CASE("batch watch goes on after a restart of the server", "[worker][cli][batch][scenario]") {
    OwnServer server;
    server.migrate();
    const Shell shell(server.url());
    REQUIRE(shell.run({"enqueue", "echo", "--batch", "b"}).code == 0);
    Child watching(shell.command({"batch", "watch", "b"}));
    watching.wait_for("0/1 0 %");
    server.stop(GENERATE(OwnServer::Stop::fast, OwnServer::Stop::immediate));
    watching.wait_for("the database went away");
    server.start();
    watching.wait_for("the database is back");
    CHECK(shell.run({"batch", "cancel", "b", "--yes"}).code == 0);
    run_command({
        .words = {"/usr/bin/psql", "-qAtc", "select task_queue.fold_batch_changes(0, 1000)", server.url()},
    });
    const Finished watched = watching.wait();
    INFO(watched.output << watched.errors);
    CHECK(watched.code == 1);
    CHECK(holds(watched.output, "1/1 100 %"));
    CHECK(holds(watched.errors, "1 of 1 job failed"));
}

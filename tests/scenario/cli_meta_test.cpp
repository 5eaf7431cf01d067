// What travels along with jobs, and batches that follow each other through their callbacks.

#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shell.hpp"

#include <chrono>
#include <string>

using namespace tests;

TEST_CASE("enqueue hands --meta to its jobs, its batch and the batch's callbacks", "[worker][cli][meta][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    const std::string meta =
        R"({"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "by": "ada"})";
    REQUIRE(shell.run({"enqueue", "echo", "--args", "{}", "--meta", meta}).code == 0);
    CHECK(holds(shell.run({"job", "show", "128", "--json"}).output, "\"meta\": " + meta));
    shell.folder.write("jobs", "{}\n{}\n");
    REQUIRE(
        shell.run({"enqueue", "echo", "--file", "jobs", "--batch", "b", "--on-finish", "noop", "--meta", meta}).code ==
        0
    );
    CHECK(database.value("select count(*) from task_queue.bundles where meta ->> 'by' = 'ada'") == "3");
    CHECK(holds(shell.run({"batch", "show", "b", "--json"}).output, "\"meta\": " + meta));
    REQUIRE(shell.run({"batch", "cancel", "b", "--yes"}).code == 0);
    database.psql("select task_queue.fold_batch_changes(0, 1000)");
    CHECK(
        database.value("select b.meta ->> 'by' from task_queue.bundles b join task_queue.kinds k on k.id = b.kind_id "
                       "where k.name = 'noop'") == "ada"
    );
    shell.refuses({"enqueue", "echo", "--meta", "{by: ada}"}, 2, "--meta \"{by: ada}\" is");
    shell.refuses({"enqueue", "echo", "--meta", "[1]"}, 2, "--meta is not a JSON object");
}

TEST_CASE("batches follow each other through their callbacks, each once", "[worker][cli][batch][meta][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    const std::string folder = shell.folder.path();
    // Each callback fills the next batch, whose callback it names.
    shell.folder.write(
        "next.sh",
        "set -e\nt='" TASK_WORKER_BINARY
        "'\n"
        "case $JOB_KIND in\n"
        "first-done) $t enqueue echo --args '{}' --batch second --on-finish second-done -q ;;\n"
        "second-done) $t enqueue echo --args '{}' --batch third --on-finish third-done -q ;;\n"
        "esac\n"
    );
    std::string handlers = "handlers:\n";
    for (const std::string kind : {"first-done", "second-done", "third-done"}) {
        handlers += "  " + kind + ": {exec: [env, JOB_KIND=" + kind + ", 'DATABASE_URL=" + database.url() + "', sh, " +
                    folder + "/next.sh], max_attempts: 1}\n";
    }
    shell.folder.write("config.yml", handlers);
    const WorkerProcess worker(database.url(), {}, {"--config", folder + "/config.yml"});
    REQUIRE(
        shell.run({"enqueue", "echo", "--args", "{}", "--batch", "first", "--on-finish", "first-done", "--watch"})
            .code == 0
    );
    const Finished last = shell.run({"job", "wait", "128"});
    CHECK(last.code == 0);
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(40);
    const std::string ended = "select count(*) from task_queue.jobs where kind = 'third-done' and state = 'completed'";
    while (database.value(ended) != "1") {
        if (std::chrono::steady_clock::now() > limit) FAIL(shell.run({"job", "list"}).output);
    }
    CHECK(
        database.psql("select name, state, completed from task_queue.batches order by created_at") ==
        TextRows{{"first", "finished", "1"}, {"second", "finished", "1"}, {"third", "finished", "1"}}
    );
    CHECK(
        database.psql("select kind, count(*) from task_queue.jobs where kind like '%-done' group by 1 order by 1") ==
        TextRows{{"first-done", "1"}, {"second-done", "1"}, {"third-done", "1"}}
    );
}

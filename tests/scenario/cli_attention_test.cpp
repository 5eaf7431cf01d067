// What people are told of jobs that failed or cannot run.

#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shell.hpp"

#include <chrono>
#include <stdexcept>
#include <string>

using namespace tests;

TEST_CASE("batch and job say that no live worker has a handler for a kind", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    const WorkerProcess worker(database.url());
    const std::string text = "no live worker has a handler for `mystery`";
    REQUIRE(shell.run({"enqueue", "mystery", "--new-kind", "--batch", "b", "--args", "{}"}).code == 0);
    database.await("select state from task_queue.jobs", "scheduled");  // put off by the worker
    const Finished batch = shell.run({"batch", "show", "b"});
    INFO(batch.output);
    CHECK(holds(batch.output, "attention  " + text));
    CHECK(holds(
        shell.run({"batch", "show", "b", "--json"}).output,
        R"("unserved": [{"kind": "mystery", "queue": "default", "reason": "no live worker has a handler)"
    ));
    CHECK(holds(shell.run({"job", "show", "128"}).output, "attention  " + text));
    CHECK(holds(shell.run({"job", "show", "128", "--json"}).output, "\"unserved\": \"no live worker"));

    Child watching(shell.command({"batch", "watch", "b"}));
    watching.wait_for(text);
    CHECK(shell.run({"batch", "cancel", "b", "--yes"}).code == 0);
    const Finished watched = watching.wait();
    CHECK(watched.code == 1);
    CHECK(watched.errors.find(text) == watched.errors.rfind(text));

    REQUIRE(shell.run({"enqueue", "echo", "--batch", "known", "--at", "2040-01-01", "--args", "{}"}).code == 0);
    CHECK_FALSE(holds(shell.run({"batch", "show", "known"}).output, "attention"));
}

TEST_CASE("batch show says when the first job that waits is due, where all are due later", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    REQUIRE(shell.run({"enqueue", "echo", "--batch", "b", "--open", "--at", "2040-01-02", "--args", "{}"}).code == 0);
    const std::string id = database.value("select id from task_queue.batches");
    REQUIRE(shell.run({"enqueue", "noop", "--batch", id, "--open", "--at", "2040-01-01", "--args", "{}"}).code == 0);
    const std::string shown = shell.run({"batch", "show", "b"}).output;
    INFO(shown);
    CHECK(holds(shown, "\nnext due   2040-01-01T00:00:00Z\n"));
    CHECK(holds(shell.run({"batch", "show", "b", "--json"}).output, "\"due_at\": \"2040-01-01T00:00:00.000Z\""));
    REQUIRE(shell.run({"enqueue", "noop", "--batch", id, "--args", "{}"}).code == 0);  // at once, and seals it
    CHECK_FALSE(holds(shell.run({"batch", "show", "b"}).output, "next due"));
}

TEST_CASE("batch says that the queue in which its jobs wait is paused", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    const WorkerProcess worker(database.url());
    const std::string text = "the queue `default` is paused: task-worker queue resume default";
    REQUIRE(shell.run({"queue", "pause", "default"}).code == 0);
    Child watching(shell.command({"enqueue", "noop", "--batch", "b", "--args", "{}", "--watch"}));
    watching.wait_for("task-worker: waiting: " + text + "\n");
    CHECK(holds(shell.run({"batch", "show", "b"}).output, "attention  " + text + "\n"));
    CHECK(shell.run({"queue", "resume", "default"}).code == 0);
    CHECK(watching.wait().code == 0);
}

TEST_CASE("failures show the line that tells most, and job show everything", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    shell.folder.write(
        "fail.py", "import sys\nprint('first words', file=sys.stderr)\nraise ValueError('no such order')\n"
    );
    shell.folder.write(
        "config.yml",
        "handlers:\n  work:\n    exec: [python3, " + shell.folder.path() +
            "/fail.py]\n    max_attempts: 2\n    backoff: {first: 10ms}\n"
    );
    const WorkerProcess worker(database.url(), {}, {"--config", shell.folder.path() + "/config.yml"});
    REQUIRE(shell.run({"enqueue", "work", "--batch", "b", "--args", "{}"}).code == 0);
    CHECK(shell.run({"batch", "watch", "b"}).code == 1);

    for (const Words& words : {Words{"batch", "show", "b"}, {"dead", "list"}}) {
        const std::string shown = shell.run(words).output;
        INFO(shown);
        CHECK(holds(shown, "  ValueError: no such order"));
        CHECK_FALSE(holds(shown, "Traceback"));
        const std::string id = database.value("select id from task_queue.batches");
        CHECK(shown.ends_with("run them again: task-worker batch redrive " + id + "\n") == (words[0] == "batch"));
    }
    const std::string job = shell.run({"job", "show", "128"}).output;
    INFO(job);
    CHECK(holds(job, "attempt   2 of 2 (the handler's max_attempts; enqueued with 20)"));
    CHECK(holds(job, "because   its attempts are used up: on attempt 2 of 2"));
    CHECK(holds(job, "error     exit code 1\n          first words\n          Traceback (most recent call last):\n"));
    CHECK(holds(job, "errors    attempt 1, 20"));
    CHECK(holds(job, "Z: ValueError: no such order\n          attempt 2, 20"));
    const std::string json = shell.run({"dead", "show", "128", "--json"}).output;
    CHECK(holds(json, "\"max_attempts\": 20, \"max_attempts_in_force\": 2"));
    CHECK(holds(json, "\"discarded_because\": \"its attempts are used up"));
    CHECK(holds(json, "\"errors\": [{\"attempt\""));
}

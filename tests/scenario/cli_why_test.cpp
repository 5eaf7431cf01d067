// `job why`: one test for each reason that there is, on a real database.

#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/cli_office.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shell.hpp"

#include <string>

using namespace tests;

namespace {

struct Asked {
    TestDatabase database;
    Shell shell{database.url()};

    // A worker with free slots that serves echo and work of the queue default.
    void add_worker(const std::string& values = "(1, 5, 10, 42, 'here', 'v', '{echo,work}', '{default}')") const {
        database.psql(
            "insert into task_queue.workers (id, connections, slots, pid, host, version, kinds, queues) values " +
            values
        );
    }
    // Answers the number of the job.
    std::string enqueue(const Words& more = {}) const {
        Words words{"enqueue", "echo", "-q"};
        words.insert(words.end(), more.begin(), more.end());
        std::string job = shell.run(words).output;
        REQUIRE(job.ends_with('\n'));
        job.pop_back();
        return job;
    }
    // The codes of the reasons, in their order.
    std::string reasons(const std::string& job) const {
        const std::string json = shell.run({"job", "why", job, "--json"}).output;
        std::string codes;
        const std::string mark = "{\"reason\": \"";
        for (std::size_t at = json.find(mark); at != std::string::npos; at = json.find(mark, at + 1)) {
            const std::size_t begin = at + mark.size();
            codes += (codes.empty() ? "" : " ") + json.substr(begin, json.find('"', begin) - begin);
        }
        return codes;
    }
    std::string text(const std::string& job) const {
        const Finished finished = shell.run({"job", "why", job});
        CHECK(finished.code == 0);
        CHECK(finished.errors.empty());
        return finished.output;
    }
    void claim(const std::string& job, const std::string& worker) const {
        database.psql(
            "update task_queue.bundles set state = 2, worker_id = " + worker +
            ", claimed_at = '2026-01-31T12:00:00Z' where id = " + job
        );
    }
};

}  // namespace

TEST_CASE("job why: nothing stands before it", "[worker][cli][why][scenario]") {
    const Asked test;
    test.add_worker();
    const std::string job = test.enqueue();
    CHECK(test.reasons(job) == "next");
    CHECK(
        test.text(job) ==
        "job 128, echo in queue default: available\n- nothing stands before it: a worker takes it at its next look\n"
    );
    test.shell.refuses({"job", "why", "1"}, 1, "there is no job 1");
}

TEST_CASE(
    "job why: jobs that stand before it, in its line, its row and more urgent lanes", "[worker][cli][why][scenario]"
) {
    const Asked test;
    test.add_worker();
    test.database.psql(
        "select count(*) from task_queue.enqueue_many('echo', array['1', '2', '3']::json[], bundle => 3);"
        "select count(*) from task_queue.enqueue_many('echo', array['1', '2']::json[], priority => 0);"
        "select count(*) from task_queue.enqueue_many('echo', array['1', '2']::json[], priority => 9);"
        "select task_queue.enqueue('echo', '{}', delay => '1 hour')"
    );
    const std::string job = test.enqueue();
    CHECK(test.reasons(job) == "behind");
    CHECK(holds(test.text(job), "- 5 jobs stand before it\n"));
    CHECK(holds(test.text("130"), "- 4 jobs stand before it\n"));
}

TEST_CASE("job why: more jobs stand before it than are counted", "[worker][cli][why][scenario]") {
    const Asked test;
    test.add_worker();
    test.database.psql(
        "select count(*) from task_queue.enqueue_many('echo', array_fill('{}'::json, array[10001]), bundle => 1)"
    );
    const std::string job = test.enqueue();
    CHECK(test.reasons(job) == "behind");
    CHECK(holds(test.text(job), "- at least 10000 jobs stand before it\n"));
    test.database.psql(
        "delete from task_queue.bundles where id in (select b.id from task_queue.bundles b order by b.id limit 2)"
    );
    CHECK(holds(test.text(job), "- 9999 jobs stand before it\n"));
}

TEST_CASE("job why: its queue is paused", "[worker][cli][why][scenario]") {
    const Asked test;
    test.add_worker();
    const std::string job = test.enqueue();
    REQUIRE(test.shell.run({"queue", "pause", "default"}).code == 0);
    CHECK(test.reasons(job) == "paused");
    CHECK(holds(test.text(job), "its queue is paused: task-worker queue resume default"));
}

TEST_CASE("job why: no worker runs, or none has its kind or its queue", "[worker][cli][why][scenario]") {
    const Asked test;
    const std::string job = test.enqueue();
    CHECK(test.reasons(job) == "unserved");
    CHECK(holds(test.text(job), "- no worker is running"));
    test.add_worker("(1, 5, 10, 42, 'here', 'v', '{work}', '{default}')");
    CHECK(holds(test.text(job), "- no live worker has a handler for `echo`"));
    test.database.psql("update task_queue.workers set kinds = '{echo}', queues = '{mail}'");
    CHECK(holds(test.text(job), "- no live worker serves the queue `default`: add it to the queues of one\n"));
    test.database.psql("update task_queue.workers set kinds = '{work}', queues = '{default}'");
    test.add_worker("(2, 5, 10, 43, 'here', 'v', '{echo}', '{mail}')");
    CHECK(holds(test.text(job), "- no live worker that serves the queue `default` has a handler for `echo`"));
    test.add_worker("(3, 5, 10, 44, 'here', 'v', '{echo}', '{default}')");
    CHECK(test.reasons(job) == "next");
    test.database.psql("update task_queue.workers set dead_at = now()");
    CHECK(holds(test.text(job), "- no worker is running: start one with task-worker run\n"));
}

TEST_CASE("job why: all slots are taken", "[worker][cli][why][scenario]") {
    const Asked test;
    test.add_worker("(1, 5, 1, 42, 'here', 'v', '{echo}', '{default}')");
    const std::string first = test.enqueue();
    const std::string job = test.enqueue();
    CHECK(test.reasons(job) == "behind");
    test.claim(first, "1");
    CHECK(test.reasons(job) == "busy");
    CHECK(holds(test.text(job), "- no slot is free: the one worker that can run it has 1 (worker.concurrency)\n"));
    test.add_worker("(2, 5, 1, 43, 'here', 'v', '{work}', '{default}')");  // it cannot run it
    CHECK(test.reasons(job) == "busy");
    test.add_worker("(3, 5, 1, 43, 'here', 'v', '{echo}', '{default}')");
    CHECK(test.reasons(job) == "next");
}

TEST_CASE("job why: its queue's limit is reached", "[worker][cli][why][scenario]") {
    const Asked test;
    test.add_worker();
    const std::string first = test.enqueue();
    const std::string job = test.enqueue();
    REQUIRE(test.shell.run({"queue", "create", "default", "--concurrency", "1"}).code == 0);
    test.claim(first, "1");
    CHECK(test.reasons(job) == "queue_limit");
    CHECK(holds(test.text(job), "its queue allows 1 job at once in a worker"));
    CHECK(holds(test.text(job), "and the one worker that can run it has as many (queues.default.concurrency)"));
    test.database.psql("update task_queue.queues set concurrency = 2");
    CHECK(test.reasons(job) == "next");
}

TEST_CASE("job why: its kind's limit is reached", "[worker][cli][why][scenario]") {
    const Asked test;
    test.shell.folder.write("config.yml", "handlers:\n  echo: {exec: [cat], concurrency: 1}\n");
    test.add_worker();
    const std::string first = test.enqueue();
    const std::string job = test.enqueue();
    CHECK(test.reasons(job) == "behind");
    test.claim(first, "1");
    CHECK(test.reasons(job) == "kind_limit");
    CHECK(
        test.text(job) ==
        "job " + job +
            ", echo in queue default: available\n- its kind allows 1 job at once in a worker, and the one "
            "worker that can run it has as many (handlers.echo.concurrency)\n"
    );
    // Other kinds do not count, other workers do.
    test.database.psql(
        "insert into task_queue.kinds (name) values ('work'); update task_queue.bundles "
        "set kind_id = (select id from task_queue.kinds where name = 'work') where id = " +
        first
    );
    CHECK(test.reasons(job) == "next");
    test.database.psql("update task_queue.bundles set kind_id = (select id from task_queue.kinds where name = 'echo')");
    CHECK(test.reasons(job) == "kind_limit");
    test.add_worker("(2, 5, 1, 43, 'here', 'v', '{echo}', '{default}')");
    CHECK(test.reasons(job) == "next");
    // The one is at the kind's limit, the other has no slot.
    test.database.psql("update task_queue.workers set slots = 0 where id = 2");
    CHECK(test.reasons(job) == "kind_limit");
    test.shell.folder.write("config.yml", "handlers:\n  echo: {exec: [cat], concurrency: 2}\n");
    CHECK(test.reasons(job) == "next");
}

TEST_CASE("job why: it is due later, or to be retried", "[worker][cli][why][scenario]") {
    const Asked test;
    test.add_worker();
    const std::string job = test.enqueue({"--at", "2040-01-01"});
    CHECK(test.reasons(job) == "scheduled");
    CHECK(holds(test.text(job), "- it is due at 2040-01-01T00:00:00Z, in "));
    test.database.psql("update task_queue.bundles set state = 3, attempt = 2");
    CHECK(test.reasons(job) == "retry");
    CHECK(holds(test.text(job), "- attempt 2 failed; it is due at 2040-01-01T00:00:00Z, in "));
}

TEST_CASE("job why: it was due, but nobody leads", "[worker][cli][why][scenario]") {
    const Asked test;
    test.add_worker();
    const std::string job = test.enqueue({"--at", "2040-01-01"});
    test.database.psql("update task_queue.bundles set run_at = now() - interval '1 min'");
    CHECK(test.reasons(job) == "no_leader");
    test.database.psql("insert into task_queue.leaders (worker_id, expires_at) values (1, now() - interval '1 min')");
    CHECK(test.reasons(job) == "no_leader");
    test.database.psql("update task_queue.leaders set expires_at = now() + interval '1 hour'");
    CHECK(test.reasons(job) == "next");
}

TEST_CASE("job why: its batch is cancelled", "[worker][cli][why][scenario]") {
    const Asked test;
    test.add_worker();
    REQUIRE(test.shell.run({"enqueue", "echo", "--batch", "b", "--args", "1"}).code == 0);
    test.claim("128", "1");
    REQUIRE(test.shell.run({"batch", "cancel", "b", "--yes"}).code == 0);
    CHECK(test.reasons("128") == "batch_cancelled cancel_requested running");
    CHECK(
        holds(test.text("128"), "- its batch is cancelled: it will not run again\n- its worker was asked to stop it\n")
    );
}

TEST_CASE("job why: its batch was cancelled while its row was in use", "[worker][cli][why][scenario]") {
    const Asked test;
    test.add_worker();
    REQUIRE(test.shell.run({"enqueue", "echo", "--batch", "b", "--args", "1"}).code == 0);
    OpenTransaction other(test.database);
    other.execute("select from task_queue.bundles for update");
    CHECK(test.shell.run({"batch", "cancel", "b", "--yes"}).output == "batch b: cancelled 0 jobs\n");
    other.rollback();
    CHECK(test.reasons("128") == "batch_cancelled");
    CHECK(holds(test.text("128"), "- its batch is cancelled: the worker that leads takes it out of the line\n"));
}

TEST_CASE("job why: a worker holds it, lives, is dead, or is not known", "[worker][cli][why][scenario]") {
    const Asked test;
    test.add_worker();
    const std::string job = test.enqueue();
    test.claim(job, "1");
    CHECK(test.reasons(job) == "running");
    CHECK(holds(
        test.text(job), "- worker 1 (here, process 42) holds it, since 2026-01-31T12:00:00Z; its last heartbeat was "
    ));
    test.database.psql("update task_queue.workers set dead_at = '2026-01-31T12:30:00Z'");
    CHECK(test.reasons(job) == "lost_worker");
    CHECK(holds(test.text(job), "and died at 2026-01-31T12:30:00Z"));
    test.database.psql("delete from task_queue.workers");
    CHECK(test.reasons(job) == "lost_worker");
    CHECK(holds(test.text(job), "see task-worker doctor"));
}

TEST_CASE("job why: it is a suspect", "[worker][cli][why][scenario]") {
    const Asked test;
    test.add_worker();
    const std::string job = test.enqueue();
    test.database.psql("update task_queue.bundles set state = 4, rescues = 2");
    CHECK(test.reasons(job) == "suspect");
}

TEST_CASE("job why: it has ended", "[worker][cli][why][scenario]") {
    const Asked test;
    const std::string job = test.enqueue();
    REQUIRE(test.shell.run({"job", "cancel", job}).code == 0);
    CHECK(test.reasons(job) == "ended");
    CHECK(holds(test.text(job), "- it has ended: cancelled at 20"));
}

TEST_CASE("job why: it is a dead letter, with its error and the way back", "[worker][cli][why][scenario]") {
    const CliOffice office;
    const std::string json = office.shell.run({"job", "why", "256", "--json"}).output;
    for (const char* code : {"ended", "error", "redrive"}) CHECK(holds(json, std::string("{\"reason\": \"") + code));
    const std::string text = office.shell.run({"job", "why", "256"}).output;
    INFO(text);
    CHECK(holds(text, "- it has ended: discarded at 20"));
    CHECK(holds(text, "Z; its attempts are used up: on attempt 1 of 1\n- its error: no such photo no such photo"));
    CHECK(holds(text, " (whole: task-worker job show 256)\n- to run it again: task-worker dead redrive 256; "));
    CHECK(holds(text, "task-worker batch redrive 00000000-0000-0000-0000-000000000001\n"));
    const Finished again = office.shell.run({"batch", "redrive", "00000000-0000-0000-0000-000000000001"});
    CHECK(again.output == "batch photos: 2 jobs redriven\n");
    CHECK(holds(office.shell.run({"job", "why", "256"}).output, "job 256, echo in queue default: available\n"));
}

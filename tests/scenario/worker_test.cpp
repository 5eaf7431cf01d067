// What a worker process promises when it starts, runs, stops or dies: real processes, real signals.
#include "tests/support/catch.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shop.hpp"

#include <csignal>
#include <string>

using namespace tests;

TEST_CASE("two workers never run the same job at once, and every job runs once", "[scenario][worker]") {
    const Shop shop(witness);
    shop.enqueue("work", 300);
    const WorkerProcess one(shop.database.url(), {}, shop.arguments());
    const WorkerProcess two(shop.database.url(), {}, shop.arguments());
    shop.enqueue("work", 100);
    shop.await_finished(400);
    CHECK(shop.count("state = 'completed'") == "400");
    CHECK(files_in(shop.folder.path() + "/runs.d") == 400);
    CHECK(files_in(shop.folder.path() + "/twice.d") == 0);
    CHECK(shop.database.value("select count(distinct worker_id) from task_queue.finished_bundles") == "2");
}

TEST_CASE("the jobs of a worker killed in the middle of a batch finish on another", "[scenario][worker]") {
    // The first worker's jobs never end; the second's end at once.
    Shop shop("echo started >> $FOLDER/started; [ -e $FOLDER/quick ] || sleep 600\n");
    shop.database.psql("select task_queue.create_batch(id => '11111111-1111-1111-1111-111111111111')");
    shop.enqueue("work", 40, "'{}'", ", batch_id => '11111111-1111-1111-1111-111111111111'");
    shop.database.psql("select task_queue.seal_batch('11111111-1111-1111-1111-111111111111')");
    {
        WorkerProcess first(shop.database.url(), {}, shop.arguments());
        shop.await("select count(*) > 0 from task_queue.jobs where state = 'running'", "t");
        first.signal(SIGKILL);
        CHECK(first.wait_exit() == -SIGKILL);
    }
    shop.folder.write("quick", "");
    const WorkerProcess second(shop.database.url(), {}, shop.arguments());
    shop.await_finished(40);
    shop.await("select state from task_queue.batches", "finished");
    CHECK(shop.count("state = 'completed'") == "40");
    CHECK(shop.database.value("select total || ' ' || completed from task_queue.batches") == "40 40");
    // A crash burns no attempt.
    CHECK(shop.database.value("select max(attempt) from task_queue.finished_bundles") == "1");
}

TEST_CASE("SIGTERM lets running jobs end and hands back the rest, burning no attempt", "[scenario][worker]") {
    const Shop shop("[ -e $FOLDER/go ] || sleep 1\n");
    shop.enqueue("work", 60);
    WorkerProcess worker(shop.database.url(), {{"TASK_WORKER_WORKER_CONCURRENCY", "4"}}, shop.arguments());
    shop.await("select count(*) > 0 from task_queue.jobs where state = 'running'", "t");
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
    CHECK(shop.count("state = 'running'") == "0");
    CHECK(shop.count("state not in ('available', 'completed')") == "0");
    CHECK(shop.count("state = 'completed'") != "0");  // no result is lost either
    CHECK(shop.database.value("select max(attempt) from task_queue.bundles") == "0");
    CHECK(shop.database.value("select count(*) from task_queue.workers where dead_at is null") == "0");
}

TEST_CASE("jobs that outlast the soft and the hard limit go back with their attempt", "[scenario][worker]") {
    const Shop shop("trap '' TERM; while :; do sleep 1; done\n");
    shop.enqueue("work", 3);
    WorkerProcess worker(
        shop.database.url(),
        {{"TASK_WORKER_SHUTDOWN_SOFT", "100ms"}, {"TASK_WORKER_SHUTDOWN_HARD", "300ms"}},
        shop.arguments()
    );
    shop.await("select count(*) from task_queue.jobs where state = 'running'", "3");
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
    CHECK(shop.count("state = 'available'") == "3");
    CHECK(shop.database.value("select max(attempt) from task_queue.bundles") == "0");
}

TEST_CASE("a second signal skips ahead", "[scenario][worker]") {
    const Shop shop("sleep 600\n");
    shop.enqueue("work", 2);
    WorkerProcess worker(
        shop.database.url(),
        {{"TASK_WORKER_SHUTDOWN_SOFT", "10m"}, {"TASK_WORKER_SHUTDOWN_HARD", "10m"}},
        shop.arguments()
    );
    shop.await("select count(*) from task_queue.jobs where state = 'running'", "2");
    worker.signal(SIGTERM);
    worker.wait_for_line("signal: stopping");
    worker.signal(SIGTERM);  // the programs get SIGTERM and end
    CHECK(worker.wait_exit() == 0);
    CHECK(shop.count("state = 'available'") == "2");
}

TEST_CASE("a batch with failures counts every outcome, and task progress is seen meanwhile", "[scenario][batch]") {
    const Shop shop(R"sh(
read job
case "$ARG_N" in
    1) echo '{"progress":{"done":3,"total":10,"message":"third"}}'
       while [ ! -e $FOLDER/seen ]; do sleep 0.05; done
       echo '{"result":{"n":1}}';;
    *[05]) echo "no fives" >&2; exit 65;;
    7) [ "$JOB_ATTEMPT" = 3 ] || exit 1;;
esac
)sh");
    shop.database.psql(
        "select task_queue.create_batch(id => '11111111-1111-1111-1111-111111111111', on_finish => 'echo')"
    );
    shop.enqueue("work", 20, "json_build_object('n', n)", ", batch_id => '11111111-1111-1111-1111-111111111111'");
    shop.database.psql("select task_queue.seal_batch('11111111-1111-1111-1111-111111111111')");
    const WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    shop.await("select max(done || '/' || total || ' ' || message) from task_queue.task_progress", "3/10 third");
    shop.folder.write("seen", "");
    shop.await("select state from task_queue.batches", "finished");
    CHECK(
        shop.database.value("select total || ' ' || completed || ' ' || discarded from task_queue.batches") == "20 16 4"
    );
    CHECK(shop.database.value("select count(*) from task_queue.dead_jobs where error like '%no fives%'") == "4");
    CHECK(
        shop.database.value("select result from task_queue.finished_bundles where result is not null limit 1") ==
        R"({"n":1})"
    );
    CHECK(shop.database.value("select count(*) from task_queue.task_progress") == "0");
    // The callback ran, once.
    shop.await("select count(*) from task_queue.jobs where kind = 'echo' and state = 'completed'", "1");
}

// A worker that beats at its start, when it has begun to listen, and then for long only when it is notified.
const Process::Environment slow_heart{
    {"TASK_WORKER_WORKER_HEARTBEAT", "10m"}, {"TASK_WORKER_WORKER_LEASE_TIMEOUT", "1h"}
};
const std::string beats = "select beat from task_queue.workers";

TEST_CASE("a cancelled job's program is stopped by the beat that the cancel calls for", "[scenario][worker]") {
    const Shop shop("echo running > $FOLDER/running; sleep 600\n");
    shop.enqueue("work", 1);
    const WorkerProcess worker(shop.database.url(), slow_heart, shop.arguments());
    shop.await("select count(*) from task_queue.jobs where state = 'running'", "1");
    shop.await(beats, "2");
    shop.database.psql("select task_queue.cancel((select id from task_queue.jobs))");
    shop.await("select state from task_queue.jobs", "cancelled");
    CHECK(shop.database.value(beats) == "3");
}

TEST_CASE("a job that reports progress learns that its lease is lost, and is stopped", "[scenario][worker][progress]") {
    // It reports at a rate, so that some report comes after its lease is lost.
    const Shop shop("trap 'echo told to stop; exit 0' TERM\nwhile :; do echo '{\"progress\": 1}'; sleep 0.1; done\n");
    shop.enqueue("work", 1);
    WorkerProcess worker(shop.database.url(), slow_heart, shop.arguments());
    shop.await("select count(*) from task_queue.task_progress", "1");
    shop.database.psql("update task_queue.bundles set claim_number = claim_number + 1000");
    worker.wait_for_line("told to stop");
}

TEST_CASE("a worker that was declared dead and wakes up changes nothing", "[scenario][worker]") {
    const Shop shop("echo x >> $FOLDER/started; while [ ! -e $FOLDER/go ]; do sleep 0.05; done\n");
    shop.enqueue("work", 1);
    WorkerProcess first(shop.database.url(), {}, shop.arguments());
    shop.await("select count(*) from task_queue.jobs where state = 'running'", "1");
    first.signal(SIGSTOP);
    const WorkerProcess second(shop.database.url(), {}, shop.arguments());
    // The second leads after a while, declares the first dead and runs the job itself (on a very slow machine it may
    // have gone on under a new id meanwhile).
    shop.await("select count(*) from task_queue.bundles where state = 2 and worker_id <> 1", "1");
    first.signal(SIGCONT);
    first.wait_for_line("going on as a new worker");
    shop.folder.write("go", "");
    shop.await_finished(1);
    CHECK(
        shop.database.value("select (worker_id <> 1) || ' ' || attempt from task_queue.finished_bundles") == "true 1"
    );
}

TEST_CASE("a worker goes on after the database was away", "[scenario][worker]") {
    const Shop shop(witness);
    WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    shop.enqueue("work", 20);
    shop.database.psql(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    );
    shop.enqueue("work", 20);
    shop.await_finished(40);
    CHECK(shop.count("state = 'completed'") == "40");
    CHECK(files_in(shop.folder.path() + "/twice.d") == 0);
}

TEST_CASE("a timeout ends an attempt and the last one is a dead letter", "[scenario][worker]") {
    const Shop shop("sleep 600\n", "    timeout: 200ms\n    max_attempts: 2\n");
    shop.enqueue("work", 1);
    const WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    shop.await("select count(*) from task_queue.dead_jobs where attempt = 2 and error like '%time%'", "1");
}

TEST_CASE("limits per kind and per queue hold under prefetch and bundles", "[scenario][worker]") {
    const std::string count_running = R"sh(
mkdir -p $FOLDER/running.d $FOLDER/most.d
: > $FOLDER/running.d/$JOB_ID
: > $FOLDER/most.d/$(ls $FOLDER/running.d | wc -l)
rm $FOLDER/running.d/$JOB_ID
)sh";
    SECTION("of the kind") {
        const Shop shop(count_running, "    concurrency: 2\n");
        shop.enqueue("work", 100);
        const WorkerProcess worker(shop.database.url(), {}, shop.arguments());
        shop.await_finished(100);
        CHECK_FALSE(std::filesystem::exists(shop.folder.path() + "/most.d/3"));
    }
    SECTION("of the queue") {
        const Shop shop(count_running, "queues:\n  slow: {concurrency: 2}\n");
        const WorkerProcess worker(shop.database.url(), {}, shop.arguments());
        shop.enqueue("work", 100, "'{}'", ", queue => 'slow'");
        shop.await_finished(100);
        CHECK_FALSE(std::filesystem::exists(shop.folder.path() + "/most.d/3"));
    }
}

TEST_CASE("a kind without a handler is snoozed and does not block its line", "[scenario][worker]") {
    const Shop shop(witness);
    shop.enqueue("nobody-does-this", 100);
    shop.enqueue("work", 10);
    WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    shop.await_finished(10);
    worker.wait_for_line("no handler for this kind");
    CHECK(shop.count("kind = 'nobody-does-this' and state = 'scheduled' and attempt = 0") == "100");
}

TEST_CASE("a worker killed a moment ago does not keep its successor out of the budget", "[scenario][worker]") {
    const Shop shop(witness);
    // Room for one worker of 4 + 2 + 2 connections, besides the server's reserve of 3.
    const Process::Environment budget{{"DB_MAX_CONNECTIONS", "12"}};
    WorkerProcess first(shop.database.url(), budget, shop.arguments());
    CHECK_THROWS_WITH(
        WorkerProcess(shop.database.url(), budget, shop.arguments()), Catch::Contains("connection budget is refused")
    );
    first.signal(SIGKILL);
    first.wait_exit();
    const WorkerProcess second(shop.database.url(), budget, shop.arguments());
    shop.await("select count(*) from task_queue.workers where dead_at is null", "1");
}

TEST_CASE("slow jobs behind a burst are not hoarded: an idle worker gets them", "[scenario][worker]") {
    const Shop shop("sleep 3\n");
    const WorkerProcess first(shop.database.url(), {{"TASK_WORKER_WORKER_CONCURRENCY", "2"}}, shop.arguments());
    shop.enqueue("noop", 20'000);
    shop.enqueue("work", 4);
    shop.await("select count(*) > 0 from task_queue.jobs where kind = 'work' and state = 'running'", "t");
    const WorkerProcess second(shop.database.url(), {{"TASK_WORKER_WORKER_CONCURRENCY", "2"}}, shop.arguments());
    shop.await_finished(20'004);
    CHECK(
        shop.database.value("select count(distinct worker_id) from task_queue.finished_bundles b "
                            "join task_queue.kinds k on k.id = b.kind_id where k.name = 'work'") == "2"
    );
}

TEST_CASE("limits.args holds for every producer once a worker with it has started", "[scenario][worker]") {
    const Shop shop(witness);
    const WorkerProcess worker(shop.database.url(), {{"TASK_WORKER_LIMITS_ARGS", "10000"}}, shop.arguments());
    CHECK_THROWS_WITH(
        shop.database.psql("select task_queue.enqueue('work', to_json(repeat('x', 10000))::text)"),
        Catch::Contains("more than the 10000 allowed")
    );
}

// Handlers of every sort in real workers: what they leave, how they stop, how they are cancelled.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/http_run.hpp"
#include "tests/support/process.hpp"
#include "tests/support/process_end.hpp"
#include "tests/support/shop.hpp"

#include <csignal>
#include <fstream>
#include <string>

using namespace tests;

namespace {

const std::string running_jobs = "select count(*) from task_queue.jobs where state = 'running'";

// Heartbeats and polls so rare that whatever is noticed soon was notified.
Process::Environment slow_beats() {
    return {
        {"TASK_WORKER_WORKER_HEARTBEAT", "60s"},
        {"TASK_WORKER_WORKER_LEASE_TIMEOUT", "10m"},
        {"TASK_WORKER_WORKER_POLL", "60s"},
    };
}

Finished command(const Shop& shop, std::vector<std::string> words) {
    words.insert(words.begin(), TASK_WORKER_BINARY);
    return run_command({.words = std::move(words), .environment = {{"DATABASE_URL", shop.database.url()}}});
}

// Of the first line that a job's program wrote to a file, once it is there.
pid_t pid_in(const std::string& path) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(40);
    while (std::chrono::steady_clock::now() < limit) {
        std::ifstream file(path);
        pid_t pid = 0;
        if (file >> pid) return pid;
    }
    throw std::runtime_error("nothing in " + path);
}

}  // namespace

TEST_CASE("a stream handler works jobs off with few programs, which end in good order", "[scenario][handlers]") {
    const Shop shop(
        R"sh(
: >$FOLDER/started.$$
while read -r job; do echo '{"result":'$$'}'; done
: >$FOLDER/ended.$$
)sh",
        "    mode: stream\n    concurrency: 3\n"
    );
    shop.enqueue("work", 200);
    WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    shop.await_finished(200);
    CHECK(shop.count("state = 'completed'") == "200");
    const int programs =
        std::stoi(shop.database.value("select count(distinct result::text) from task_queue.finished_bundles"));
    CHECK(programs >= 1);
    CHECK(programs <= 3);
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
    const Finished files =
        run_command({.words = {"/bin/sh", "-c", "ls | grep -c ended"}, .folder = shop.folder.path()});
    CHECK(files.output == std::to_string(programs) + "\n");
}

TEST_CASE("whatever programs have started dies with a killed worker, in either mode", "[scenario][handlers]") {
    const std::string mode = GENERATE("process", "stream");
    const Shop shop("read -r job; sleep 3600 & echo $! >$FOLDER/child; wait\n", "    mode: " + mode + "\n");
    shop.enqueue("work", 1);
    WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    const pid_t child = pid_in(shop.folder.path() + "/child");
    CHECK(is_alive(child));
    worker.signal(SIGKILL);
    CHECK(ends(child));
}

TEST_CASE("an http handler's API completes jobs and reports their progress by SQL", "[scenario][handlers]") {
    HttpServer server;
    const Shop shop(Shop::Url{server.url("/together?wanted=2")});
    shop.enqueue("work", 1);
    const WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    server.wait_for("request ");
    const std::string job =
        boost::json::serialize(boost::json::parse(server.requests(1).at(0).at("body").as_string()).at("id"));
    shop.database.psql("select task_queue.report_progress(" + job + ", 3, 10, 'page 3')");
    CHECK(
        shop.database.value("select done || '/' || total || ' ' || message from task_queue.job(" + job + ")") ==
        "3/10 page 3"
    );
    shop.enqueue("work", 1);  // the server answers both together
    shop.await_finished(2);
    CHECK(shop.count("state = 'completed'") == "2");
    // What it reported is swept by the leader: the worker does not know of it.
    CHECK(shop.database.value("select task_queue.report_progress(" + job + ", 4, 10)") == "f");
}

TEST_CASE(
    "a running job's handler is stopped by SQL and by the command line, without waiting for a beat",
    "[scenario][handlers]"
) {
    HttpServer server;
    const std::string how = GENERATE("SQL", "job cancel", "batch cancel");
    CAPTURE(how);
    const std::string batch = "00000000-0000-0000-0000-000000000001";
    const auto enqueue_one = [&](const Shop& shop, const std::string& kind, const std::string& args = "'{}'") {
        shop.database.psql("select task_queue.create_batch('" + batch + "')");
        shop.enqueue(kind, 1, args, ", batch_id => '" + batch + "'");
    };
    const auto cancel_it = [&](const Shop& shop) {
        shop.await(running_jobs, "1");
        const std::string job = shop.database.value("select id from task_queue.jobs");
        if (how == "SQL") {
            shop.database.psql("select task_queue.cancel(" + job + ")");
        } else if (how == "job cancel") {
            CHECK(command(shop, {"job", "cancel", job}).code == 0);
        } else {
            const Finished cancelled = command(shop, {"batch", "cancel", batch, "--yes"});
            CHECK(cancelled.output == "batch " + batch + ": asked 1 running job to stop\n");
        }
        shop.await("select state from task_queue.jobs", "cancelled");
    };
    SECTION("exec") {
        const Shop shop("echo $$ >$FOLDER/pid; sleep 3600\n");
        enqueue_one(shop, "work");
        const WorkerProcess worker(shop.database.url(), slow_beats(), shop.arguments());
        const pid_t program = pid_in(shop.folder.path() + "/pid");
        cancel_it(shop);
        CHECK(ends(program));
    }
    SECTION("stream") {
        const Shop shop("read -r job; echo $$ >$FOLDER/pid; sleep 3600\n", "    mode: stream\n");
        enqueue_one(shop, "work");
        const WorkerProcess worker(shop.database.url(), slow_beats(), shop.arguments());
        const pid_t program = pid_in(shop.folder.path() + "/pid");
        cancel_it(shop);
        CHECK(ends(program));
    }
    SECTION("http") {
        const Shop shop(Shop::Url{server.url("/hang")});
        enqueue_one(shop, "work");
        const WorkerProcess worker(shop.database.url(), slow_beats(), shop.arguments());
        server.wait_for("request ");
        cancel_it(shop);
        server.wait_for("hung up");
    }
    SECTION("native") {
        const Shop shop("");
        enqueue_one(shop, "echo", R"('{"sleep_ms": 3600000}')");
        const WorkerProcess worker(shop.database.url(), slow_beats(), shop.arguments());
        cancel_it(shop);
    }
}

TEST_CASE(
    "a busy worker stops claiming from a queue that is paused, and goes on when it is resumed", "[scenario][handlers]"
) {
    const Shop shop("");
    shop.enqueue("echo", 200, R"('{"sleep_ms": 50}')");
    Process::Environment environment = slow_beats();
    environment["TASK_WORKER_WORKER_CONCURRENCY"] = "2";
    const WorkerProcess worker(shop.database.url(), environment, shop.arguments());
    shop.await("select count(*) > 4 from task_queue.jobs where state = 'completed'", "t");
    CHECK(command(shop, {"queue", "pause", "default"}).code == 0);
    shop.await(running_jobs, "0");
    CHECK(std::stoi(shop.count("state = 'available'")) > 100);  // the worker did not just come to the end
    CHECK(command(shop, {"queue", "resume", "default"}).code == 0);
    shop.await_finished(200);
}

TEST_CASE("each failed attempt of a job is kept with its error", "[scenario][handlers]") {
    const Shop shop("read -r job; echo \"boom $JOB_ATTEMPT\" >&2; exit 3\n", "    max_attempts: 3\n");
    shop.enqueue("work", 1);
    const WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    shop.await("select count(*) from task_queue.dead_jobs", "1");
    CHECK(
        shop.database.value("select string_agg((e ->> 'attempt') || ' ' || replace(e ->> 'error', e'\\n', ' '), ', ') "
                            "from task_queue.dead_jobs, json_array_elements(errors) e"
        ) == "1 exit code 3 boom 1, 2 exit code 3 boom 2, 3 exit code 3 boom 3"
    );
}

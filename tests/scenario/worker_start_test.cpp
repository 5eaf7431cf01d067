// SIGTERM in every phase of a worker's start: it ends in order, and leaves nothing that counts.
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/ledger_bed.hpp"
#include "tests/support/temporary_folder.hpp"

#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace tests;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

// A worker that is not waited for.
struct StartingWorker : Process {
    explicit StartingWorker(const std::string& url, Environment more = {}, std::vector<std::string> options = {})
        : Process(TASK_WORKER_BINARY, run_with(std::move(options)), with(url, std::move(more))) {}

    void stop() {
        signal(SIGTERM);
        CHECK(wait_exit() == 0);
        CHECK_THAT(output(), !Contains("\"level\":\"error"));
        CHECK_THAT(output(), Contains("\"message\":\"stopped\""));
    }

private:
    static std::vector<std::string> run_with(std::vector<std::string> options) {
        options.insert(options.begin(), "run");
        return options;
    }
    static Environment with(const std::string& url, Environment more) {
        more.insert(
            {{"DATABASE_URL", url}, {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"}, {"TASK_WORKER_LOG_FORMAT", "json"}}
        );
        return more;
    }
};

void await_accepted(const FaultProxy& proxy) {
    const auto limit = std::chrono::steady_clock::now() + 30s;
    while (proxy.accepted() == 0) {
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("nobody connects");
        std::this_thread::yield();
    }
}

const std::string alive = "select count(*) from task_queue.workers where dead_at is null";

}  // namespace

// The configuration is a pipe: whoever has opened both ends knows that the worker reads, and how far it got.
TEST_CASE("SIGTERM that comes before there is anything to stop is heard all the same", "[scenario][start]") {
    const TestDatabase database;
    const TemporaryFolder folder;
    const std::string pipe = folder.path() + "/config.yml";
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    const int number = GENERATE(SIGTERM, SIGINT);
    CAPTURE(number);
    StartingWorker worker(database.url(), {}, {"--config", pipe});
    {
        std::ofstream config(pipe);  // waits for the reader
        worker.signal(number);
        config << "worker: {poll: 1s}\n";
    }
    CHECK(worker.wait_exit() == 0);
    CHECK_THAT(worker.output(), Contains("signal: stopping") && Contains("\"message\":\"stopped\""));
    CHECK_THAT(worker.output(), !Contains("\"level\":\"error"));
    CHECK(database.value(alive) == "0");
}

TEST_CASE("SIGTERM ends a start that waits for the database", "[scenario][start]") {
    SECTION("which is not there") {
        StartingWorker worker("postgresql://nobody@/nothing?host=/no/server/here");
        worker.wait_for_line("waiting for the database");
        worker.stop();
    }
    SECTION("which does not answer") {
        FaultProxy proxy(server_socket());
        proxy.black_hole();
        StartingWorker worker(proxy.url("postgres"));
        await_accepted(proxy);
        worker.stop();
    }
}

TEST_CASE("SIGTERM ends a start that waits for another's migration", "[scenario][start]") {
    const TestDatabase database(TestDatabase::Content::empty);
    OpenTransaction other(database);
    other.execute("select pg_advisory_xact_lock(7105131202611211)");
    StartingWorker worker(database.url(), {{"TASK_WORKER_MIGRATE_ON_START", "true"}});
    await_blocked(database);
    worker.stop();
    other.rollback();
    CHECK(database.value("select to_regclass('task_queue.bundles') is null") == "t");
}

TEST_CASE("SIGTERM ends a start that waits for the connection budget", "[scenario][start]") {
    const TestDatabase database;
    database.psql(
        "insert into task_queue.workers (connections, slots, pid, host, version, kinds, queues) "
        "values (10000, 1, 1, 'silent', '', '{}', '{}')"
    );
    StartingWorker worker(database.url());
    worker.wait_for_line("over the connection budget");
    worker.stop();
    CHECK(database.value(alive + " and host <> 'silent'") == "0");
}

TEST_CASE("SIGTERM ends a start that has registered and waits for a lock", "[scenario][start]") {
    const TestDatabase database;
    OpenTransaction other(database);
    other.execute("lock table task_queue.kinds in access exclusive mode");
    StartingWorker worker(database.url());
    await_blocked(database);
    CHECK(database.value(alive) == "1");
    worker.stop();
    CHECK(database.value(alive) == "0");
    other.rollback();
}

TEST_CASE("a worker told to stop is gone in the end, whatever hangs", "[scenario][start][slow]") {
    const LedgerBed bed;
    WorkerProcess worker(
        bed.database().url(),
        {{"TASK_WORKER_SHUTDOWN_SOFT", "100ms"}, {"TASK_WORKER_SHUTDOWN_HARD", "100ms"}},
        {},
        ledger_worker_path()
    );
    bed.await_state(bed.enqueue("{}", "", "hang-at-exit"), "completed");
    worker.signal(SIGTERM);
    worker.wait_for_line("\"message\":\"stopped\"");
    CHECK(worker.wait_exit() == 1);
}

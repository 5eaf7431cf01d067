// docs/backup.md: a backup taken while workers run, restored on another server, where workers finish every job of it.
#include "tests/support/catch.hpp"
#include "tests/support/guide.hpp"
#include "tests/support/ledger_bed.hpp"
#include "tests/support/ledger_producer.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/process.hpp"
#include "tests/support/psql.hpp"

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

using namespace tests;
namespace fs = std::filesystem;

namespace {

std::string value(const std::string& url, const std::string& sql) {
    return psql(url, sql).at(0).at(0);
}

std::unique_ptr<WorkerProcess> start_worker(const std::string& url) {
    return std::make_unique<WorkerProcess>(
        url,
        LedgerBed::environment({{"DB_POOL_SIZE", "5"}, {"DB_MAX_OVERFLOW", "0"}}),
        std::vector<std::string>{},
        ledger_worker_path()
    );
}

// A server whose workers are under load.
struct Source {
    OwnServer server;
    TemporaryFolder folder;

    Source() {
        fs::create_directory_symlink(TASK_WORKER_SOURCE_DIR "/deploy", folder.path() + "/deploy");
        psql(server.url(), "create database app");
        sh(R"(psql "$DATABASE_URL" -q -v ON_ERROR_STOP=1 -f deploy/roles.sql; task-worker --quiet migrate up)");
        psql(url(), create_witness);
    }
    std::string url() const { return server.url("app"); }
    void sh(const std::string& script, const std::string& restored = {}) const {
        Command command = guide_command(folder, url(), script);
        command.environment["RESTORED_URL"] = restored;
        const Finished finished = run_command(command);
        INFO(script << "\n" << finished.output << finished.errors);
        REQUIRE(finished.code == 0);
    }
    void await_more(int jobs) const {
        const std::string count = "select count(*) from task_queue.jobs where state = 'completed'";
        await_value(url(), "select (" + count + ") > " + std::to_string(std::stoi(value(url(), count)) + jobs), "t");
    }
    // A job that runs until it is killed. Run again, it completes.
    void enqueue_deaf() const {
        psql(url(), R"(select task_queue.enqueue('deaf', '{"file": ")" + folder.path() + R"(/deaf"}'))");
        await_value(url(), "select count(*) from task_queue.jobs where kind = 'deaf' and state = 'running'", "1");
    }
};

std::string last_worker(const std::string& url) {
    return value(url, "select max(id) from task_queue.workers");
}

// Workers on what was restored finish everything, as if nothing had happened.
void check_restored(
    const std::string& url, const Source& source, const std::string& last_worker_before, const std::string& last_job
) {
    const std::string jobs = value(url, "select count(*) from task_queue.jobs");
    const std::string callbacks = value(
        url, "select count(*) from task_queue.batches where on_finish_kind_id is not null and finished_at is null"
    );
    REQUIRE(std::stoi(value(url, "select count(*) from task_queue.jobs where state = 'running'")) > 0);
    const auto first = start_worker(url);
    const auto second = start_worker(url);
    await_value(
        url,
        "select count(*) from task_queue.jobs where state = 'completed'",
        std::to_string(std::stoi(jobs) + std::stoi(callbacks))
    );
    CHECK(value(url, "select count(*) from task_queue.jobs where state <> 'completed'") == "0");
    CHECK(witness_trouble(url).empty());
    CHECK(value(url, "select count(*) from task_queue.batches where finished_at is null") == "0");
    // Those of before are dead; no number of theirs is given again, not even one that came after the backup.
    CHECK(
        value(url, "select count(*) from task_queue.workers where dead_at is null and id <= " + last_worker_before) ==
        "0"
    );
    CHECK(
        value(url, "select count(*) from task_queue.workers where dead_at is null and id > " + last_worker_before) ==
        "2"
    );
    CHECK(
        value(
            url,
            "select dead_at is null from task_queue.leaders l join task_queue.workers w on w.id = l.worker_id where "
            "l.expires_at > now()"
        ) == "t"
    );
    CHECK(value(url, "select task_queue.enqueue('noop', '{}') > " + last_job) == "t");
    CHECK(value(url, "select task_queue.enqueue('noop', '{}') % 128") == "0");
    await_value(url, "select count(*) from task_queue.jobs where state <> 'completed'", "0");
    // A run of before that comes to its end now finds nothing of its own: its worker's number is dead.
    CHECK(value(url, "select count(*) from task_queue.record_heartbeat(" + last_worker_before + ")") == "0");
    (void)source;
}

}  // namespace

TEST_CASE(
    "a dump taken under load is restored on another server, where workers finish its jobs", "[scenario][backup]"
) {
    const std::vector<std::string> blocks = blocks_of(read_page("docs/backup.md"), "sh");
    REQUIRE(blocks.size() == 2);
    const Source source;
    auto first = start_worker(source.url());
    auto second = start_worker(source.url());
    source.enqueue_deaf();
    LedgerProducer producer(source.url());
    source.await_more(300);
    source.sh(blocks[0]);
    source.await_more(300);                         // nothing was held up
    const auto third = start_worker(source.url());  // the backup knows nothing of it
    source.await_more(300);
    producer.stop();
    CHECK(producer.trouble().empty());
    for (const WorkerProcess* worker : {first.get(), second.get(), third.get()}) worker->signal(SIGKILL);

    const OwnServer other;
    psql(other.url(), "create database app");
    source.sh(blocks[1], other.url("app"));
    CHECK(
        value(other.url("app"), "select nspowner::regrole from pg_namespace where nspname = 'task_queue'") ==
        "task_worker_owner"
    );
    check_restored(
        other.url("app"), source, last_worker(source.url()), value(source.url(), "select max(id) from task_queue.jobs")
    );
}

TEST_CASE(
    "a base backup taken under load, promoted when its server is lost, goes on with its jobs", "[scenario][backup]"
) {
    const Source source;
    const auto first = start_worker(source.url());
    const auto second = start_worker(source.url());
    source.enqueue_deaf();
    LedgerProducer producer(source.url());
    source.await_more(300);
    const OwnServer copy({.standby_of = source.server.url()});
    source.await_more(300);
    producer.stop();
    CHECK(producer.trouble().empty());
    for (const WorkerProcess* worker : {first.get(), second.get()}) worker->signal(SIGKILL);
    const std::string worker = last_worker(source.url());
    const std::string job = value(source.url(), "select max(id) from task_queue.jobs");
    psql(copy.url(), "select pg_promote()");
    const std::string url = copy.url("app");
    source.sh(R"(psql "$RESTORED_URL" -q -v ON_ERROR_STOP=1 -f deploy/after_restore.sql)", url);
    check_restored(url, source, worker, job);
}

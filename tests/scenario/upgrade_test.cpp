// The schema goes one version ahead while workers run: docs/versions.md.
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/ledger_bed.hpp"
#include "tests/support/ledger_producer.hpp"

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

using namespace tests;
using Catch::Contains;

namespace {

std::string next_worker_path() {
    return std::filesystem::path(TASK_WORKER_BINARY).parent_path() / "tests/next-worker";
}

struct Fleet {
    LedgerBed bed;

    std::unique_ptr<WorkerProcess> start(const std::string& program) const {
        return std::make_unique<WorkerProcess>(
            bed.database().url(), LedgerBed::environment({{"DB_BUDGET", "warn"}}), std::vector<std::string>{}, program
        );
    }
    int completed() const {
        return std::stoi(bed.value("select count(*) from task_queue.jobs where state = 'completed'"));
    }
    void await_more(int jobs) const {
        bed.await(
            "select count(*) > " + std::to_string(completed() + jobs) +
                " from task_queue.jobs where state = 'completed'",
            "t"
        );
    }
    Process::Environment environment() const { return {{"DATABASE_URL", bed.database().url()}}; }
};

// A round that met the migration is tried again; nothing else may be said.
void check_log(WorkerProcess& worker) {
    INFO(worker.output());
    CHECK_THAT(worker.output(), !Contains("\"level\":\"error\""));
    CHECK_THAT(worker.output(), !Contains("lease"));
    CHECK_THAT(worker.output(), !Contains("declared dead"));
}

}  // namespace

TEST_CASE(
    "workers work on while the schema goes one version ahead, and beside those of that version", "[scenario][upgrade]"
) {
    const Fleet fleet;
    const auto first = fleet.start(ledger_worker_path());
    const auto second = fleet.start(ledger_worker_path());
    LedgerProducer producer(fleet.bed.database().url());
    fleet.await_more(500);

    // Somebody reads for long. The migration cannot have its locks, and may not make others wait for that.
    OpenTransaction reader(fleet.bed.database());
    reader.execute("select count(*) from task_queue.bundles");
    Process migrate(next_worker_path(), {"migrate", "up"}, fleet.environment());
    migrate.wait_for_line("waiting for a lock");
    migrate.wait_for_line("waiting for a lock");
    fleet.await_more(500);
    CHECK_FALSE(migrate.has_ended());
    CHECK(fleet.bed.value("select max(version) from task_queue.migrations") == "5");
    reader.rollback();
    CHECK(migrate.wait_exit() == 0);
    CHECK(fleet.bed.value("select max(version) from task_queue.migrations") == "6");
    CHECK(fleet.bed.value("select count(label) > 0 from task_queue.jobs") == "t");

    fleet.await_more(500);
    const auto next = fleet.start(next_worker_path());
    const auto late = fleet.start(ledger_worker_path());
    CHECK_THAT(late->output(), Contains("newer than this task-worker, which works with it"));
    CHECK_THAT(next->output(), !Contains("newer than"));
    fleet.await_more(500);
    for (WorkerProcess* worker : {first.get(), second.get()}) {  // the leader among them
        worker->signal(SIGTERM);
        CHECK(worker->wait_exit() == 0);
        check_log(*worker);
    }
    fleet.await_more(500);
    producer.stop();
    CHECK(producer.trouble().empty());
    fleet.bed.await(
        "select count(*) from task_queue.jobs where state = 'completed'", std::to_string(producer.enqueued())
    );
    CHECK(fleet.bed.value("select count(*) from task_queue.jobs where state <> 'completed'") == "0");
    CHECK(fleet.bed.value("select count(*) from task_queue.jobs where kind = 'noop' and attempt <> 1") == "0");
    CHECK(fleet.bed.trouble().empty());
    check_log(*late);
    check_log(*next);
}

TEST_CASE(
    "commands of the version before work on the newer schema, and migrate has nothing to do there",
    "[scenario][upgrade]"
) {
    const Fleet fleet;
    const auto run = [&](const std::string& program, const std::string& words) {
        return run_command(
            {.words = {"/bin/sh", "-c", program + " " + words}, .environment = fleet.environment(), .folder = "/"}
        );
    };
    REQUIRE(run(next_worker_path(), "migrate up").code == 0);
    CHECK(run(TASK_WORKER_BINARY, "enqueue noop --quiet").code == 0);
    CHECK(run(TASK_WORKER_BINARY, "job list").code == 0);
    CHECK(run(TASK_WORKER_BINARY, "batch list").code == 0);
    CHECK(run(TASK_WORKER_BINARY, "queue list").code == 0);
    const Finished check = run(TASK_WORKER_BINARY, "check");
    INFO(check.output);
    CHECK(check.code == 0);
    CHECK_THAT(check.output, Contains("newer than this task-worker, which works with it"));
    const Finished up = run(TASK_WORKER_BINARY, "migrate up");
    CHECK(up.code == 0);
    CHECK(up.output == "nothing to apply\n");
    CHECK(run(TASK_WORKER_BINARY, "migrate down").code != 0);
}

TEST_CASE("a migration that cannot have its locks gives up in the end, and leaves nothing", "[scenario][upgrade]") {
    const Fleet fleet;
    OpenTransaction reader(fleet.bed.database());
    reader.execute("select count(*) from task_queue.bundles");
    Process migrate(next_worker_path(), {"migrate", "up", "--patience", "2s"}, fleet.environment());
    CHECK(migrate.wait_exit() == 1);
    CHECK_THAT(migrate.output(), Contains("0006_label_jobs") && Contains("lock timeout"));
    CHECK(fleet.bed.value("select max(version) from task_queue.migrations") == "5");
}

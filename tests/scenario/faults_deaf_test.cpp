// A native handler that does not stop when it is asked to. Nobody can make it: what its worker does instead.
#include "tests/support/catch.hpp"
#include "tests/support/ledger_bed.hpp"

#include <fmt/format.h>

#include <csignal>
#include <string>

using namespace tests;

namespace {

struct DeafBed : LedgerBed {
    std::string enqueue_deaf() const { return enqueue(fmt::format(R"({{"file": "{}"}})", file("go")), "", "deaf"); }
    WorkerProcess worker(const Process::Environment& more = {}) const {
        return WorkerProcess(database().url(), environment(more), {}, ledger_worker_path());
    }
    // Who completed what, and how often.
    std::string history() const {
        return value(
            "select string_agg(format('%s by %s', name, worker_id), ', ' order by f.id) "
            "from task_queue.finished_bundles f join task_queue.kinds k on k.id = kind_id"
        );
    }
};

}  // namespace

TEST_CASE(
    "what a deaf handler answers when its lease is lost changes nothing, and its worker goes on",
    "[scenario][faults][deaf]"
) {
    const DeafBed bed;
    WorkerProcess first = bed.worker();
    const std::string job = bed.enqueue_deaf();
    bed.await_reached("go");
    const std::string old = bed.value("select worker_id from task_queue.bundles");
    bed.sql("update task_queue.workers set dead_at = now()");
    first.wait_for_line("going on as a new worker");
    const std::string next = bed.value("select max(id) from task_queue.workers");
    CHECK(next != old);
    // A suspect runs alone: the job may have to wait for a worker in whose process nothing else runs.
    const WorkerProcess second = bed.worker();
    bed.await_state(job, "completed");
    const std::string by_second = bed.value("select worker_id from task_queue.finished_bundles");
    CHECK(by_second != old);
    bed.create("go");
    first.signal(SIGTERM);
    CHECK(first.wait_exit() == 0);
    CHECK(bed.history() == "deaf by " + by_second);
    CHECK(bed.value("select count(*) from task_queue.bundles") == "0");
}

TEST_CASE("a deaf handler that is cancelled keeps its lease, and what it answers counts", "[scenario][faults][deaf]") {
    const DeafBed bed;
    const WorkerProcess worker = bed.worker();
    const std::string job = bed.enqueue_deaf();
    bed.await_reached("go");
    const std::string lease = "select format('%s %s', worker_id, claim_number) from task_queue.bundles where state = 2";
    const std::string held = bed.value(lease);
    bed.sql("select task_queue.cancel(" + job + ")");
    bed.await_state(bed.enqueue("{}", "", "noop"), "completed");
    CHECK(bed.value(lease) == held);
    bed.create("go");
    bed.await_state(job, "completed");
}

TEST_CASE("a worker that stops hands back what a deaf handler runs, and leaves it", "[scenario][stopping][deaf]") {
    const DeafBed bed;
    WorkerProcess first = bed.worker({{"TASK_WORKER_SHUTDOWN_SOFT", "100ms"}, {"TASK_WORKER_SHUTDOWN_HARD", "100ms"}});
    const std::string job = bed.enqueue_deaf();
    bed.await_reached("go");
    first.signal(SIGTERM);
    CHECK(first.wait_exit() == 0);
    CHECK(bed.value("select format('%s %s', state, attempt) from task_queue.job(" + job + ")") == "available 0");
    const WorkerProcess second = bed.worker();
    bed.await_state(job, "completed");
    CHECK(bed.value("select attempt from task_queue.job(" + job + ")") == "1");
}

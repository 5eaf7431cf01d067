// A program that does not stop when it is asked is gone before another worker has its job: it never runs twice at once.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/faults_bed.hpp"

#include <csignal>
#include <string>

using namespace tests;

namespace {

// A worker whose program stays, and another that waits for its job.
struct StubbornBed {
    TestDatabase database;
    FaultBed bed{database.url()};
    FaultProxy proxy{server_socket()};
    WorkerProcess worker{proxy.url(database.name()), environment(), bed.arguments()};

    StubbornBed() {
        bed.enqueue_stubborn();
        worker.wait_for_line("here to stay");
    }
    // Time enough between the end of a handler and that of its lease to see a job in two places.
    static Process::Environment environment() {
        return FaultBed::environment({{"TASK_WORKER_WORKER_LEASE_TIMEOUT", "6s"}});
    }
};

constexpr const char* told = "no heartbeat was accepted for two thirds of lease_timeout: stopping every handler";

}  // namespace

TEST_CASE(
    "a program that does not stop is killed before the lease of its job is over", "[scenario][faults][stubborn]"
) {
    StubbornBed test;
    const WorkerProcess other(test.database.url(), StubbornBed::environment(), test.bed.arguments());
    test.proxy.black_hole();
    test.worker.wait_for_line(told);
    test.worker.wait_for_line("asked to stop");
    test.bed.await_stubborn();
    CHECK(test.bed.loss().empty());
    test.proxy.pass();
    test.worker.wait_for_line("going on as a new worker");
}

TEST_CASE("a worker that gave its leases up keeps them until its programs have ended", "[scenario][faults][stubborn]") {
    StubbornBed test;
    const WorkerProcess other(test.database.url(), StubbornBed::environment(), test.bed.arguments());
    test.proxy.black_hole();
    test.worker.wait_for_line(told);
    test.proxy.pass();
    test.worker.wait_for_line("programs that still ran are killed");
    test.bed.await_stubborn();
    CHECK(test.bed.loss().empty());
    CHECK(test.bed.declared_dead() == "0");
}

TEST_CASE("a worker that stops at once kills what it hands back", "[scenario][stopping][stubborn]") {
    StubbornBed test;
    const WorkerProcess other(test.database.url(), StubbornBed::environment(), test.bed.arguments());
    test.worker.signal(SIGTERM);
    test.worker.wait_for_line("signal: stopping");
    test.worker.signal(SIGTERM);
    test.worker.wait_for_line("signal: skipping ahead");
    test.worker.signal(SIGTERM);
    test.bed.await_stubborn();
    CHECK(test.bed.loss().empty());
    CHECK(test.worker.wait_exit() == 0);
}

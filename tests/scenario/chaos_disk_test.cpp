// The disk of the database is full for a while.
#include "tests/support/catch.hpp"
#include "tests/support/faults_bed.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/small_disk.hpp"

#include <fmt/format.h>

#include <csignal>
#include <stdexcept>
#include <string>

using namespace tests;
using namespace std::chrono_literals;

TEST_CASE("a full disk of the database costs no job", "[scenario][faults]") {
    const SmallDisk disk("200m");
    if (!disk.why_not().empty()) {
        skip("no small file system can be mounted: " + disk.why_not());
        return;
    }
    OwnServer server({.server_settings = {"max_wal_size=32MB", "min_wal_size=32MB"}, .folder = disk.folder()});
    server.migrate();
    FaultBed bed(server.url());
    WorkerProcess worker(server.url(), FaultBed::environment(), bed.arguments());
    bed.enqueue(300);
    bed.await_running();
    disk.fill();
    // The key makes the call safe to repeat: whether the last commit before the server gave up arrived is not known.
    const auto enqueue = [&](int call) {
        bed.sql(fmt::format(
            "select count(*) from task_queue.enqueue_many('noop', array_fill(to_json(md5(random()::text) || "
            "repeat('x', 4000)), array[200]), enqueue_key => 'call {}')",
            call
        ));
    };
    int calls = 0;
    const auto limit = FaultBed::now() + 60s;
    for (bool full = false; !full;) {
        if (FaultBed::now() > limit) throw std::runtime_error("the disk never becomes full");
        try {
            enqueue(calls + 1);
            ++calls;
        } catch (const std::runtime_error& error) {
            full = true;
            fmt::print("full disk: {}", error.what());
        }
    }
    worker.wait_for_line("failed, it will be tried again");
    disk.clear();
    // As an operator does it: the server may have given up.
    server.stop(OwnServer::Stop::immediate);
    server.start();
    const auto since = FaultBed::now();
    for (int call = 1; call <= calls + 1; ++call) enqueue(call);
    bed.await_recovery("full disk", since);
    bed.await(
        "select count(*) from task_queue.jobs where kind = 'noop' and state = 'completed'",
        std::to_string(200 * (calls + 1))
    );
    CHECK(bed.loss().empty());
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
}

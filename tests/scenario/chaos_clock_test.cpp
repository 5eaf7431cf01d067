// The database's clock steps back: leases written by it reach far into the future then.
#include "tests/support/catch.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/faults_bed.hpp"
#include "tests/support/own_server.hpp"
#include "tests/support/skip.hpp"

#include <csignal>

using namespace tests;
using namespace std::chrono_literals;

TEST_CASE("a leader that dies after the server's clock stepped back is followed by another", "[scenario][faults]") {
    if (!FakeClock::is_installed()) {
        skip("no libfaketime is installed");
        return;
    }
    FakeClock clock;
    OwnServer server({.environment = clock.environment()});
    server.migrate();
    FaultBed bed(server.url());
    WorkerProcess first(server.url(), FaultBed::environment(), bed.arguments());
    bed.await("select count(*) from task_queue.leaders", "1");
    WorkerProcess second(server.url(), FaultBed::environment(), bed.arguments());
    clock.set(1h);
    bed.await("select expires_at > now() - interval '1 hour' + interval '59 min' from task_queue.leaders", "t");
    // The leader has acted on what it saw then when it looks for the second time.
    const std::string seen = bed.value("select expires_at from task_queue.leaders");
    bed.await("select expires_at > '" + seen + "' from task_queue.leaders", "t");
    CHECK(bed.declared_dead() == "0");
    clock.set(0s);
    first.signal(SIGKILL);
    const auto since = FaultBed::now();
    bed.await(
        "select count(*) from task_queue.leaders l join task_queue.workers w on w.id = l.worker_id "
        "where w.pid = " +
            std::to_string(second.pid()),
        "1"
    );
    bed.enqueue(1);
    bed.await_recovery("leader's death after a step of the clock", since);
    CHECK(bed.loss().empty());
}

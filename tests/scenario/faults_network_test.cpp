// What a worker does when the network between it and the database fails, each fault made by a proxy in between.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/faults_bed.hpp"
#include "tests/support/scraper.hpp"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

using namespace tests;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

struct NetworkBed {
    TestDatabase database;
    FaultBed bed{database.url()};
    FaultProxy proxy{server_socket()};
    WorkerProcess worker{proxy.url(database.name()), FaultBed::environment(), bed.arguments()};

    void await_return(int connections) const {
        const auto limit = FaultBed::now() + 30s;
        while (proxy.accepted() == connections) {
            if (FaultBed::now() > limit) throw std::runtime_error("nobody has connected again");
            std::this_thread::yield();
        }
    }
};

}  // namespace

TEST_CASE("connections that are cut again and again cost no job", "[scenario][faults]") {
    NetworkBed test;
    for (int i = 0; i < 10; ++i) {
        test.bed.enqueue(30);
        test.bed.await_running();
        const int before = test.proxy.accepted();
        test.proxy.cut();
        test.await_return(before);
    }
    const auto since = FaultBed::now();
    test.bed.enqueue(10);
    test.bed.await_recovery("cut connections", since);
    CHECK(test.bed.loss().empty());
    CHECK_THAT(test.worker.output(), Contains("connection lost while"));
}

TEST_CASE("a slow and narrow network costs no job", "[scenario][faults]") {
    NetworkBed test;
    SECTION("delay") {
        test.proxy.delay(30ms);
        test.bed.enqueue(200);
    }
    SECTION("throttle") {
        test.proxy.throttle(100'000);
        test.bed.enqueue(10, 20'000);
    }
    const auto since = FaultBed::now();
    test.bed.await_recovery("slow network", since);
    CHECK(test.bed.loss().empty());
    CHECK(test.bed.value("select max(attempt) from task_queue.finished_bundles") == "1");
}

TEST_CASE("a worker in a black hole stops its jobs before others may have them, and comes back", "[scenario][faults]") {
    NetworkBed test;
    test.bed.enqueue(500);
    test.bed.await_running();
    test.proxy.black_hole();
    test.worker.wait_for_line("no answer from the server in time");
    test.worker.wait_for_line("no heartbeat was accepted for two thirds of lease_timeout: stopping every handler");
    test.worker.wait_for_line("no connection to 127.0.0.1:" + std::to_string(test.proxy.port()) + " within");
    // Another worker, past the hole, declares the first one dead and goes on with its jobs.
    const WorkerProcess other(test.database.url(), FaultBed::environment(), test.bed.arguments());
    test.bed.await("select count(*) from task_queue.workers where dead_at is not null", "1");
    test.bed.await_finished();
    test.proxy.pass();
    const auto since = FaultBed::now();
    test.worker.wait_for_line("going on as a new worker");
    test.bed.await("select count(*) from task_queue.workers where dead_at is null", "2");
    test.bed.enqueue(20);
    test.bed.await_recovery("black hole", since);
    CHECK(test.bed.loss().empty());
}

TEST_CASE("connections that died without a word are found out by their silence", "[scenario][faults]") {
    NetworkBed test;
    test.bed.enqueue(200);
    test.bed.await_running();
    test.proxy.half_open();
    const auto since = FaultBed::now();
    test.bed.enqueue(20);
    test.bed.await_recovery("half-open connections", since);
    CHECK(test.bed.loss().empty());
    CHECK_THAT(test.worker.output(), Contains("no answer from the server in time"));
}

TEST_CASE("a listener whose connection died without a word finds out, and listens again", "[scenario][faults]") {
    const TestDatabase database;
    FaultProxy proxy(server_socket());  // for LISTEN alone
    const Process::Environment environment =
        FaultBed::environment({{"DATABASE_DIRECT_URL", proxy.url(database.name())}, {"TASK_WORKER_WORKER_POLL", "60s"}}
        );
    WorkerProcess worker(database.url(), environment);
    const auto await_listening = [&] {  // by the worker's own word: it has had the answer
        const auto limit = FaultBed::now() + 30s;
        while (read_endpoint(worker.http_port(), "/status").find("\"listening\":true") == std::string::npos) {
            if (FaultBed::now() > limit) throw std::runtime_error("the worker does not listen");
        }
    };
    await_listening();
    const int connections = proxy.accepted();
    proxy.half_open();
    const auto since = FaultBed::now();
    CHECK_THAT(worker.wait_for_line("not listening, polling instead"), Contains("no answer from the server in time"));
    worker.wait_for_line("listening again");
    await_listening();
    fmt::print(
        "half-open LISTEN: listening again {:.1f} s later\n",
        std::chrono::duration<double>(FaultBed::now() - since).count()
    );
    CHECK(proxy.accepted() > connections);
}

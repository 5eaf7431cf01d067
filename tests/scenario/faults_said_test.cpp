// What the log says of a fault: once.
#include "tests/support/catch.hpp"
#include "tests/support/faults_bed.hpp"
#include "tests/support/own_server.hpp"

#include <cstddef>
#include <sstream>
#include <string>
#include <thread>

using namespace tests;
using namespace std::chrono_literals;

namespace {

std::size_t lines_with(const std::string& output, const std::string& text) {
    std::istringstream lines(output);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);) count += line.find(text) != std::string::npos ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE(
    "a database that is away is told once by each part of the worker, however long it is away",
    "[scenario][faults][said]"
) {
    OwnServer server;
    server.migrate();
    FaultBed bed(server.url());
    WorkerProcess worker(server.url(), FaultBed::environment(), bed.arguments());
    const auto outage = [&] {
        bed.enqueue(20);
        bed.await_running();
        server.stop(OwnServer::Stop::immediate);
        worker.wait_for_line("no heartbeat was accepted for two thirds");
        // Some hundred attempts of the pool, the heartbeat, the rounds and maintenance.
        const auto until = FaultBed::now() + 5s;
        std::this_thread::sleep_until(until);  // the fault lasts: time itself is what is tested
        const std::string output = worker.output();
        server.start();
        const auto since = FaultBed::now();
        bed.await_recovery("outage", since);
        return output;
    };
    const std::string first = outage();
    INFO(first);
    const std::size_t said = lines_with(first, "\"level\":\"warn") + lines_with(first, "\"level\":\"error");
    CHECK(said <= 20);
    for (const char* const part :
         {"cannot connect", "heartbeat not accepted", "claiming and writing failed", "maintenance failed"})
        CHECK(lines_with(first, part) >= 1);
    // A second outage is news.
    const std::string second = outage().substr(first.size());
    for (const char* const part : {"cannot connect", "heartbeat not accepted"}) CHECK(lines_with(second, part) >= 1);
    CHECK(bed.loss().empty());
}

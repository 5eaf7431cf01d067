// What the log says of a fault: once.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/faults_bed.hpp"
#include "tests/support/own_server.hpp"

#include <fmt/format.h>

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

TEST_CASE(
    "a step of maintenance that the server refuses is told once and keeps no other from its turn",
    "[scenario][faults][said]"
) {
    const std::string code = GENERATE("25006", "42501", "40P01");  // read-only, not permitted, deadlock
    const TestDatabase database;
    const FaultBed bed(database.url());
    const std::string seal =
        bed.value("select pg_get_functiondef('task_queue.seal_due_batches(integer)'::regprocedure)");
    bed.sql(fmt::format(
        "create or replace function task_queue.seal_due_batches(max_batches integer) returns integer language plpgsql "
        "as $$ begin raise exception 'not now' using errcode = '{}'; end $$; "
        "select task_queue.create_batch(seal_after => interval '0 s')",
        code
    ));
    WorkerProcess worker(database.url(), FaultBed::environment(), bed.arguments());
    const std::string told = worker.wait_for_line("maintenance failed, it will be tried again");
    CHECK(told.find("not now") != std::string::npos);
    CHECK(told.find("fold") != std::string::npos);
    // What comes after it: a worker that never beats is declared dead, and its job rescued.
    bed.sql(
        "insert into task_queue.workers (connections, slots, pid, host, version, kinds, queues) "
        "values (1, 1, 1, 'ghost', '0', '{}', '{}'); "
        "select task_queue.enqueue('work'); "
        "update task_queue.bundles set state = 2, attempt = 1, claim_number = 1, claimed_at = now(), "
        "worker_id = (select id from task_queue.workers where host = 'ghost')"
    );
    bed.await("select count(*) from task_queue.jobs where kind = 'work' and state = 'completed'", "1");
    CHECK(lines_with(worker.output(), "maintenance failed") == 1);
    bed.sql(seal);
    worker.wait_for_line("maintenance works again");
    bed.await("select state from task_queue.batches", "finished");
}

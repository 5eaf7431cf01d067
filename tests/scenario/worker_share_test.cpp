// How workers share what there is: between each other, between priorities, with producers.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace tests;
using namespace std::chrono_literals;

namespace {

void enqueue(const TestDatabase& database, const std::string& args, int jobs, const std::string& more = "") {
    database.psql(
        "select count(*) from task_queue.enqueue_many('" + std::string(args == "{}" ? "noop" : "echo") +
        "', array_fill('" + args + "'::json, array[" + std::to_string(jobs) + "])" + more + ")"
    );
}

// Looks until the query answers `wanted`, and hands each look to `look`.
template <class Look>
void await(const TestDatabase& database, const std::string& query, const std::string& wanted, Look look) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    std::string last;
    while ((last = database.value(query)) != wanted) {
        if (std::chrono::steady_clock::now() > limit)
            throw std::runtime_error("never came true: " + query + ": " + last);
        look();
    }
}

}  // namespace

TEST_CASE("ten workers share a thousand jobs, and none holds more than it runs and starts next", "[scenario][share]") {
    const TestDatabase database;
    std::vector<std::unique_ptr<WorkerProcess>> workers(10);
    for (auto& worker : workers) {
        worker = std::make_unique<WorkerProcess>(
            database.url(),
            Process::Environment{
                {"TASK_WORKER_WORKER_CONCURRENCY", "4"},
                {"TASK_WORKER_WORKER_THREADS", "1"},
                {"DB_POOL_SIZE", "1"},
                {"DB_MAX_OVERFLOW", "2"},
                {"TASK_WORKER_WORKER_LEASE_TIMEOUT", "30s"}
            }
        );
    }
    enqueue(database, R"({"sleep_ms": 50})", 1'000);
    int most = 0;
    await(database, "select count(*) from task_queue.jobs where state = 'completed'", "1000", [&] {
        const std::string held = database.value(
            "select max(jobs) from (select sum(task_queue.count_jobs(pending)) as jobs from task_queue.bundles "
            "where state = 2 group by worker_id) held"
        );
        if (!held.empty()) most = std::max(most, std::stoi(held));
    });
    // 4 slots, and what 4 slots start in 50 ms; what has finished and is not written yet counts, too.
    CHECK(most <= 16);
    CHECK(most >= 4);
    CHECK(
        database.value("select count(*) from (select from task_queue.finished_bundles group by worker_id "
                       "having sum(task_queue.count_jobs(members)) >= 50) busy") == "10"
    );
}

TEST_CASE("an urgent job starts before the jobs of its queue that nobody has claimed yet", "[scenario][share]") {
    const TestDatabase database;
    enqueue(database, R"({"sleep_ms": 20})", 150, ", priority => 9");
    const WorkerProcess worker(database.url(), {{"TASK_WORKER_WORKER_CONCURRENCY", "1"}});
    await(database, "select count(*) > 3 from task_queue.jobs where state = 'completed'", "t", [] {});
    enqueue(database, R"({"sleep_ms": 20})", 1, ", priority => 0");
    await(database, "select count(*) from task_queue.jobs where state = 'completed'", "151", [] {});
    // Claimed with the urgent job already there, by the time of its enqueue, which was visible only when that
    // committed. A claim takes three at most: one for the slot and the two that it starts in 50 ms. One claim may be on
    // its way; two more come before the commit where the machine is slow.
    const std::string between = database.value(
        "select coalesce(sum(task_queue.count_jobs(b.members)), 0) from task_queue.finished_bundles b, "
        "(select created_at, claimed_at from task_queue.finished_bundles where priority = 0) urgent "
        "where b.priority = 9 and b.claimed_at > urgent.created_at and b.claimed_at < urgent.claimed_at"
    );
    INFO(between << " jobs were claimed between");
    CHECK(std::stoi(between) <= 9);
}

TEST_CASE("a worker with enough to do is not notified, and one that runs dry is", "[scenario][share]") {
    const TestDatabase database;
    const std::string hungry = "select bool_and(hungry) from task_queue.workers where dead_at is null";
    const WorkerProcess worker(database.url());
    await(database, hungry, "t", [] {});
    enqueue(database, "{}", 200'000, ", bundle => 1");
    await(
        database,
        "select exists (select from task_queue.workers where not hungry) "
        "and exists (select from task_queue.bundles where state = 1)",
        "t",
        [&] {
            // As long as it takes.
            if (database.value("select count(*) < 50000 from task_queue.bundles") == "t")
                enqueue(database, "{}", 100'000, ", bundle => 1");
        }
    );
    await(database, "select not exists (select from task_queue.bundles)", "t", [] {});
    await(database, hungry, "t", [] {});
}

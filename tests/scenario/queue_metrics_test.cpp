// Who tells of queues, and what a scrape costs the database.

#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"
#include "tests/support/scrape.hpp"

#include <csignal>
#include <string>

using namespace tests;

namespace {

// Five jobs stand in a queue that is paused, and one is to be retried.
constexpr const char* a_line = R"sql(
    insert into task_queue.queues (name, paused) values ('mail', true);
    select count(*) from task_queue.enqueue_many('echo', array_fill('{}'::json, array[5]), queue => 'mail');
    select task_queue.enqueue('echo', queue => 'mail', delay => '1 hour');
    update task_queue.bundles set state = 3 where state = 0;
)sql";

const std::string depth = "queue_depth{queue=\"mail\",state=\"available\"}";
const std::string retryable = "queue_depth{queue=\"mail\",state=\"retryable\"}";
const std::string oldest = "queue_oldest_ready_seconds{queue=\"mail\"}";

bool tells_of_queues(const WorkerProcess& worker) {
    return read_endpoint(worker.http_port(), "/metrics").find("task_worker_queue_") != std::string::npos;
}

}  // namespace

TEST_CASE("one worker of the fleet tells of the queues, and the next one when it goes", "[scenario][metrics]") {
    const TestDatabase database;
    database.psql(a_line);
    WorkerProcess first(database.url());
    const auto told = [](const Scrape& scrape) {
        return scrape[depth] == 5 && scrape[retryable] == 1 && scrape[oldest] > 0;
    };
    await_scrape(first, told);
    WorkerProcess second(database.url());
    for (int i = 0; i < 50; ++i) CHECK_FALSE(tells_of_queues(second));
    CHECK(tells_of_queues(first));

    // It stands still for so long that the other takes over, and tells nothing any more when it wakes up.
    first.signal(SIGSTOP);
    await_scrape(second, told);
    first.signal(SIGCONT);
    await_scrape(first, [](const Scrape& scrape) { return scrape["leader"] == 0 && scrape[depth] == 0; });
    for (int i = 0; i < 50; ++i) CHECK_FALSE(tells_of_queues(first));
    CHECK(tells_of_queues(second));

    second.signal(SIGTERM);
    CHECK(second.wait_exit() == 0);
    await_scrape(first, told);
}

TEST_CASE("a scrape asks the database nothing about the queues", "[scenario][metrics]") {
    const TestDatabase database;
    database.psql(a_line);
    const WorkerProcess worker(database.url());
    const std::string looks = "statement_duration_seconds_count{statement=\"read_depth\"}";
    const Scrape before = await_scrape(worker, [](const Scrape& scrape) { return scrape[depth] == 5; });
    constexpr int scrapes = 500;
    for (int i = 0; i < scrapes; ++i) CHECK(Scrape(worker)[depth] == 5);
    CHECK(Scrape(worker)[looks] - before[looks] < scrapes / 10.);
}

// What the worker that leads tells of batches at /status and in its metrics.

#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/http_get.hpp"

#include <chrono>
#include <stdexcept>
#include <string>

using namespace tests;

namespace {

// Asks until the answer holds the text: the leader measures every few seconds.
std::string await_answer(WorkerProcess& worker, const std::string& path, const std::string& text) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(50);
    for (;;) {
        std::string answer = http_get(worker, path);
        if (answer.find(text) != std::string::npos) return answer;
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("never said: " + text + "\n" + answer);
    }
}

}  // namespace

TEST_CASE("the leader tells of unfinished batches at /status and in its metrics", "[worker][batch][scenario]") {
    const TestDatabase database;
    database.psql(
        "select task_queue.create_batch('00000000-0000-0000-0000-000000000001', name => 'photos');"
        "select task_queue.enqueue_many('echo', array_fill('{}'::json, array[3]), delay => '1 h', "
        "batch_id => '00000000-0000-0000-0000-000000000001')"
    );
    WorkerProcess worker(database.url());
    const std::string status = await_answer(worker, "/status", "\"name\":\"photos\"");
    INFO(status);
    CHECK(status.find("\"state\":\"open\",\"round\":1,\"total\":3,\"completed\":0") != std::string::npos);
    CHECK(status.find("\"waiting\":3") != std::string::npos);
    await_answer(worker, "/metrics", "task_worker_batches{state=\"open\"} 1\n");
    await_answer(worker, "/metrics", "task_worker_batch_jobs_left{state=\"open\"} 3\n");

    database.psql("select task_queue.cancel_batch('00000000-0000-0000-0000-000000000001')");
    await_answer(worker, "/metrics", "task_worker_batches_finished_total 1\n");
    await_answer(worker, "/metrics", "task_worker_batches{state=\"open\"} 0\n");
    await_answer(worker, "/status", "\"batches\":[]");
}

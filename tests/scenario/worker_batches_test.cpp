// What a worker tells of batches at /status and, leading, in its metrics.

#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/shop.hpp"

#include <chrono>
#include <stdexcept>
#include <string>

using namespace tests;

namespace {

// Asks until the answer holds the text: what is asked for is read then, and the leader measures every few seconds.
std::string await_answer(WorkerProcess& worker, const std::string& path, const std::string& text) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(50);
    for (;;) {
        std::string answer = http_get(worker, path);
        if (answer.find(text) != std::string::npos) return answer;
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("never said: " + text + "\n" + answer);
    }
}

}  // namespace

TEST_CASE("a worker tells of batches at /status and, leading, in its metrics", "[worker][batch][scenario]") {
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
    await_answer(worker, "/status", "\"state\":\"finished\"");
}

TEST_CASE("a batch waits for another whose callback enqueues into it", "[worker][batch][scenario]") {
    // Each has the id of the outer one in its args; that of a callback has them below `args`.
    const Shop shop(
        R"sh(
outer=$(python3 -c 'import json, sys; args = json.load(sys.stdin)["args"]; print(args.get("args", args)["outer"])')
psql -qAtX "$(cat "$FOLDER/url")" -c "
    select task_queue.enqueue('echo', '{}', batch_id => '$outer'); select task_queue.seal_batch('$outer')"
)sh"
    );
    shop.folder.write("url", shop.database.url());
    const std::string outer = "00000000-0000-0000-0000-000000000001";
    shop.database.psql(
        "insert into task_queue.queues (name, paused) values ('inner', true);"
        "select task_queue.create_batch('" +
        outer +
        "', name => 'outer', on_finish => 'noop');"
        "select task_queue.create_batch('00000000-0000-0000-0000-000000000002', name => 'inner', "
        "on_success => 'work', callback_args => '{\"outer\": \"" +
        outer +
        "\"}');"
        "select task_queue.enqueue('echo', '{}', batch_id => '" +
        outer +
        "');"
        "select task_queue.enqueue_many('echo', array_fill('{}'::json, array[3]), queue => 'inner', "
        "batch_id => '00000000-0000-0000-0000-000000000002');"
        "select task_queue.seal_batch('00000000-0000-0000-0000-000000000002')"
    );
    const WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    const std::string status = "from task_queue.batch_status('" + outer + "')";
    shop.await("select completed || '/' || total || ' ' || state " + status, "1/1 open");
    CHECK(shop.count("kind in ('work', 'noop')") == "0");
    shop.database.psql("update task_queue.queues set paused = false where name = 'inner'");
    shop.await("select completed || '/' || total || ' ' || state " + status, "2/2 finished");
    CHECK(
        shop.database.value("select o.finished_at > i.finished_at from task_queue.batches o, task_queue.batches i "
                            "where o.name = 'outer' and i.name = 'inner'") == "t"
    );
    shop.await_finished(7);  // four, one more in the outer batch, and two callbacks
    CHECK(shop.count("kind = 'work' and state = 'completed'") == "1");
    CHECK(shop.count("kind = 'noop' and state = 'completed'") == "1");
}

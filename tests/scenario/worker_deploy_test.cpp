// A rolling deploy under load.
#include "tests/support/catch.hpp"
#include "tests/support/shop.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

using namespace tests;

TEST_CASE("a rolling deploy of three workers burns no attempt and loses no result", "[scenario][deploy]") {
    constexpr int rounds = 2;
    constexpr int jobs = 60;  // of each kind, before each stop
    const Shop shop("echo x >> $FOLDER/runs\nsleep 0.1\necho '{\"result\": '$ARG_N'}'\n");
    const auto start = [&] {
        return std::make_unique<WorkerProcess>(shop.database.url(), Process::Environment{}, shop.arguments());
    };
    std::array<std::unique_ptr<WorkerProcess>, 3> workers{start(), start(), start()};
    int enqueued = 0;
    for (int round = 0; round < rounds; ++round) {
        for (auto& worker : workers) {
            shop.enqueue("work", jobs, "json_build_object('n', n)");
            shop.enqueue("echo", jobs, "json_build_object('n', n)");
            shop.enqueue("noop", 20 * jobs);
            enqueued += 22 * jobs;
            shop.await("select count(*) > 0 from task_queue.jobs where kind = 'work' and state = 'running'", "t");
            worker->signal(SIGTERM);
            CHECK(worker->wait_exit() == 0);
            worker = start();
        }
    }
    shop.await_finished(enqueued);
    CHECK(shop.count("state = 'completed'") == std::to_string(enqueued));
    CHECK(shop.count("attempt <> 1") == "0");
    // No program ran twice, and what each answered is there.
    const std::string works = std::to_string(rounds * 3 * jobs);
    std::ifstream runs(shop.folder.path() + "/runs");
    CHECK(std::count(std::istreambuf_iterator<char>(runs), {}, '\n') == rounds * 3 * jobs);
    CHECK(
        shop.database.value(
            "select count(*) from task_queue.finished_bundles b join task_queue.kinds k on k.id = b.kind_id "
            "where k.name = 'work' and result::text = args -> 0 ->> 'n'"
        ) == works
    );
    CHECK(
        shop.database.value(
            "select count(*) from task_queue.finished_bundles b join task_queue.kinds k on k.id = b.kind_id "
            "where k.name = 'echo' and result ->> 'n' = args -> 0 ->> 'n'"
        ) == works
    );
    CHECK(shop.database.value("select coalesce(max(rescues), 0) from task_queue.bundles") == "0");
    CHECK(
        shop.database.value("select count(*) from task_queue.workers where dead_at is not null and not stopped") == "0"
    );
}

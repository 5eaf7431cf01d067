// What a worker leaves to others: jobs of a kind at its limit, jobs that only others can run, suspects, poison.
#include "tests/support/catch.hpp"
#include "tests/support/scrape.hpp"
#include "tests/support/shop.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

using namespace tests;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

const std::string held = "select count(*) from task_queue.jobs where kind = 'work' and state = 'running'";

// Another worker with this kind, of which there is only its registration; a patient one believes that it lives.
void register_another(const Shop& shop, const std::string& kind) {
    shop.database.psql(
        "insert into task_queue.workers (connections, slots, pid, host, version, kinds, queues) "
        "values (1, 1, 1, '', '', '{" +
        kind + "}', '{default}')"
    );
}
const Process::Environment patient{
    {"TASK_WORKER_WORKER_LEASE_TIMEOUT", "1h"}, {"TASK_WORKER_WORKER_HEARTBEAT", "300ms"}
};

}  // namespace

TEST_CASE("a worker hoards no jobs of a kind that is at its limit", "[scenario][worker][leaves]") {
    const Shop shop("until [ -e $FOLDER/go ]; do sleep 0.05; done\n", "    concurrency: 1\n");
    shop.enqueue("work", 300);
    const WorkerProcess first(shop.database.url(), {}, shop.arguments());
    shop.await("select count(*) > 0 from task_queue.jobs where state = 'running'", "t");
    // What stands behind them in the line runs.
    shop.enqueue("noop", 500);
    shop.await("select count(*) from task_queue.jobs where kind = 'noop' and state = 'completed'", "500");
    shop.await(held, "1");
    const WorkerProcess second(shop.database.url(), {}, shop.arguments());
    shop.await("select count(distinct worker_id) from task_queue.bundles where state = 2", "2");
    shop.await(held, "2");
    shop.folder.write("go", "");
    shop.await_finished(800);
    CHECK(shop.count("state = 'completed' and attempt = 1") == "800");
}

TEST_CASE("a kind at its limit goes on as fast as its jobs do", "[scenario][worker][leaves]") {
    const Shop shop("exit 0\n", "    concurrency: 2\n");
    shop.enqueue("work", 200);
    const WorkerProcess worker(shop.database.url(), {}, shop.arguments());
    shop.enqueue("noop", 20'000);
    shop.await_finished(20'200);
    CHECK(shop.count("state = 'completed' and attempt = 1") == "20200");
}

TEST_CASE(
    "jobs that another worker can run are left to it, whole rows of them and for a moment only",
    "[scenario][worker][leaves]"
) {
    const Shop shop("exit 0\n");
    register_another(shop, "theirs");
    WorkerProcess worker(shop.database.url(), patient, shop.arguments());
    shop.enqueue("theirs", 160, "'{}'", ", bundle => 20");
    shop.enqueue("nobodys", 160, "'{}'", ", bundle => 20");
    worker.wait_for_line("its jobs are left to others");
    worker.wait_for_line("its jobs are snoozed");
    shop.enqueue("noop", 10);
    shop.await_finished(10);
    shop.await(
        "select count(*) from task_queue.jobs where kind = 'nobodys' and state = 'scheduled' and run_at > now() + "
        "interval '2 s'",
        "160"
    );
    CHECK(shop.count("kind = 'theirs'") == "160");
    CHECK(shop.count("kind = 'theirs' and state <> 'running' and attempt <> 0") == "0");
    CHECK(shop.count("kind = 'theirs' and run_at > now() + interval '2 s'") == "0");
    CHECK(shop.database.value("select min(task_queue.count_jobs(members)) from task_queue.bundles") == "10");
}

// The leader without the handler is the first to know that a job has become due: it must not always be the one that
// takes it. It may take it when it asks again who has the kind, 5 s later, not with every claim.
TEST_CASE(
    "jobs that another worker can run reach it, and are not taken and given back meanwhile",
    "[scenario][worker][leaves]"
) {
    const Shop shop("exit 0\n");
    register_another(shop, "work");
    WorkerProcess leader(shop.database.url(), patient);
    shop.await("select count(*) from task_queue.leaders", "1");
    shop.enqueue("work", 3);
    leader.wait_for_line("its jobs are left to others");
    constexpr int claims = 40;  // each wins one job at least, behind those three in the line
    for (int i = 1; i <= claims; ++i) {
        shop.enqueue("noop", 1);
        shop.await_finished(i);
        CHECK(shop.count("kind = 'work' and state = 'scheduled'") == "0");  // nor put off
    }
    CHECK(Scrape(leader)["unknown_kind_total"] < 3 * claims / 2);
    // It looks once a second only.
    const Process::Environment slow{{"DB_POOLER", "transaction"}, {"TASK_WORKER_WORKER_POLL", "1s"}};
    const WorkerProcess other(shop.database.url(), slow, shop.arguments());
    shop.await_finished(claims + 3);
    CHECK(shop.count("state = 'completed' and attempt = 1") == std::to_string(claims + 3));
}

TEST_CASE("a worker that is never idle gives a suspect its turn", "[scenario][worker][leaves]") {
    const Shop shop("sleep 0.05\n");
    const WorkerProcess worker(shop.database.url(), {{"TASK_WORKER_WORKER_CONCURRENCY", "4"}}, shop.arguments());
    shop.enqueue("work", 200);
    shop.await("select count(*) > 0 from task_queue.jobs where state = 'running'", "t");
    shop.database.psql(
        "insert into task_queue.bundles (id, members, pending, kind_id, queue_id, state, rescues, args) "
        "select nextval('task_queue.base_ids'), 1, 1, task_queue.intern_kind('echo'), 1, 4, 2, '[{}]' "
        "from generate_series(1, 3)"
    );
    // As long as it takes there is other work.
    int enqueued = 203;
    const auto limit = std::chrono::steady_clock::now() + 60s;
    while (shop.count("kind = 'echo' and state = 'completed'") != "3") {
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("the suspects starve");
        if (std::stoi(shop.count("kind = 'work' and state = 'available'")) > 50) continue;
        shop.enqueue("work", 50);
        enqueued += 50;
    }
    CHECK(shop.count("kind = 'work' and state = 'available'") != "0");
    shop.await_finished(enqueued);
    CHECK(shop.count("state = 'completed' and attempt = 1") == std::to_string(enqueued));
}

TEST_CASE(
    "poison that kills its workers is quarantined, and its neighbours are not", "[scenario][worker][leaves][slow]"
) {
    // The program's parent is the worker.
    const Shop shop("[ $ARG_N != 7 ] || kill -9 $PPID\n[ -e $FOLDER/done ] || sleep 0.02\n");
    shop.enqueue("work", 20, "json_build_object('n', n)", ", bundle => 20");
    int deaths = 0;
    const auto limit = std::chrono::steady_clock::now() + 120s;
    while (shop.count("state in ('completed', 'discarded')") != "20") {
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("it goes on for ever");
        std::unique_ptr<WorkerProcess> worker;
        try {
            worker = std::make_unique<WorkerProcess>(shop.database.url(), Process::Environment{}, shop.arguments());
        } catch (const std::runtime_error&) {
            ++deaths;  // before it could say that it is ready
            continue;
        }
        while (!worker->has_ended() && shop.count("state in ('completed', 'discarded')") != "20") {
        }
        if (worker->has_ended()) ++deaths;
    }
    CHECK(deaths <= 5);
    CHECK(shop.count("state = 'completed'") == "19");
    CHECK_THAT(
        shop.database.value("select error from task_queue.dead_jobs where args ->> 'n' = '7'"), Contains("quarantined")
    );
    CHECK(shop.database.value("select attempt from task_queue.dead_jobs") == "1");
}

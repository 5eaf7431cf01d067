// 1,000,000 jobs that end in every way: what the process holds after them is what it held after the first 200,000.
// TASK_WORKER_LEAK_JOBS says how many; with fewer than the default a small leak may not show.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/scraper.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <thread>

using namespace tests;
using namespace std::chrono_literals;

namespace {

constexpr int stages = 5;
constexpr int batch_jobs = 100;
// Bytes. 15 kB were seen, half of them mutexes of Asio's strands, of which it makes 193 by and by; a tenth of a byte
// kept for each job would be 80 kB.
constexpr std::int64_t slack = 64 << 10;
constexpr std::int64_t of_connection = 64 << 10;  // of libpq's buffers, prepared statements
constexpr std::size_t descriptor_slack = 4;

// Of 100 jobs 90 complete; the others leave their row.
constexpr const char* ways = R"sql(
    create function public.way(n bigint) returns json language sql immutable as $$
        select json_build_object('do', case n % 100
            when 0 then 'result' when 10 then 'result' when 20 then 'result' when 30 then 'retry' when 40 then 'retry'
            when 50 then 'throw' when 60 then 'snooze' when 70 then 'snooze' when 80 then 'discard' when 90 then 'result'
            else 'complete' end)
    $$
)sql";

constexpr const char* in_batches = R"sql(
    do $$
    declare
        batch uuid;
    begin
        for i in 1..{} loop
            batch := task_queue.create_batch(on_finish => 'noop');
            perform task_queue.enqueue_many(
                'mixed', array(select way(n) from generate_series(1, {}) n), batch_id => batch
            );
            perform task_queue.seal_batch(batch);
        end loop;
    end
    $$
)sql";

const std::string of_worker = "datname = current_database() and application_name = 'task-worker'";

struct Held {
    std::int64_t bytes = std::numeric_limits<std::int64_t>::max();
    std::size_t descriptors = 0;
    std::size_t threads = 0;
    int connections = 0;
};

class Mill {
public:
    Mill() {
        database_.psql(ways);
        folder_.write("config.yml", "handlers:\n  program: {exec: ['true']}\n");
    }

    void enqueue(int jobs) {
        for (int left = jobs / 2; left > 0; left -= 10'000) {
            database_.psql(fmt::format(
                "select count(*) from task_queue.enqueue_many('mixed', array(select way(n) from generate_series(1, {}) "
                "n))",
                std::min(left, 10'000)
            ));
        }
        const int batches = jobs / 2 / batch_jobs;
        for (int left = batches; left > 0; left -= 200) {
            database_.psql(fmt::format(fmt::runtime(in_batches), std::min(left, 200), batch_jobs));
        }
        database_.psql(fmt::format(
            "select count(*) from task_queue.enqueue_many('program', array_fill('{{}}'::json, array[{}]))", jobs / 1000
        ));
        jobs_ += jobs;
        batches_ += batches;
    }

    void await_done() const {
        await("select count(*) from (select from task_queue.bundles limit 1) live", "0");
        await("select count(*) from task_queue.batches where state <> 'finished'", "0");
        await("select count(*) from (select from task_queue.bundles limit 1) live", "0");  // the last callbacks
    }

    // The least of some looks: between two of them the worker beats, and leads. On new connections: libpq's buffers
    // stay as large as the largest packet that they have carried, 64 to 128 kB each here, whenever that came.
    Held measure(const WorkerProcess& worker) const {
        Held held;
        database_.psql("select count(pg_terminate_backend(pid)) from pg_stat_activity where " + of_worker);
        for (int look = 0; look < 5; ++look) {
            const std::string id = database_.value("select task_queue.enqueue('measure')");
            await("select state from task_queue.job(" + id + ")", "completed");
            held.bytes = std::min<std::int64_t>(
                held.bytes, std::stoll(database_.value("select result from task_queue.job(" + id + ")"))
            );
        }
        held.descriptors = descriptors_of(worker.pid()).size();
        held.threads = threads_of(worker.pid());
        held.connections = std::stoi(database_.value("select count(*) from pg_stat_activity where " + of_worker));
        return held;
    }

    // "" or what is missing.
    std::string loss() const {
        const std::string found = database_.value(
            "select (select coalesce(sum(task_queue.count_jobs(members)), 0) from task_queue.finished_bundles b "
            "join task_queue.kinds k on k.id = b.kind_id where k.name = 'mixed') || ' ' || "
            "(select count(*) from task_queue.dead_jobs) || ' ' || "
            "(select count(*) from task_queue.batches where total = completed + discarded)"
        );
        const std::string wanted = fmt::format("{} {} {}", jobs_ / 100 * 99, jobs_ / 100, batches_);
        return found == wanted ? "" : "completed, discarded, batches: " + found + ", not " + wanted;
    }

    const std::string& url() const { return database_.url(); }
    std::vector<std::string> arguments() const { return {"--config", folder_.path() + "/config.yml"}; }

private:
    void await(const std::string& query, const std::string& wanted) const {
        const auto limit = std::chrono::steady_clock::now() + 300s;
        std::string last;
        while ((last = database_.value(query)) != wanted) {
            if (std::chrono::steady_clock::now() > limit)
                throw std::runtime_error("never came true: " + query + ": " + last);
            std::this_thread::sleep_for(20ms);  // asking takes from the worker's time
        }
    }

    TestDatabase database_;
    TemporaryFolder folder_;
    int jobs_ = 0;
    int batches_ = 0;
};

int jobs_wanted() {
    const char* const text = std::getenv("TASK_WORKER_LEAK_JOBS");
    return text == nullptr ? 1'000'000 : std::stoi(text);
}

}  // namespace

TEST_CASE("a million jobs, scraped all the while, leave nothing behind in the process", "[scenario][leak][slow]") {
    const int stage_jobs = jobs_wanted() / stages;
    Mill mill;
    WorkerProcess worker(
        mill.url(), {}, mill.arguments(), std::filesystem::path(TASK_WORKER_BINARY).parent_path() / "tests/mixed-worker"
    );
    Scraper scraper(worker.http_port(), 100ms);
    const auto begin = std::chrono::steady_clock::now();
    Held first;
    Held last;
    for (int stage = 0; stage < stages; ++stage) {
        mill.enqueue(stage_jobs);
        mill.await_done();
        last = mill.measure(worker);
        if (stage == 0) first = last;
        fmt::print(
            "leak: {} jobs in {:.0f} s: {} bytes, {} descriptors, {} threads, {} connections, {} MB resident\n",
            (stage + 1) * stage_jobs,
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
            last.bytes,
            last.descriptors,
            last.threads,
            last.connections,
            resident_mb(worker.pid())
        );
    }
    CHECK(mill.loss() == "");
    CHECK(scraper.stop() > stages);
    const int opened = std::max(0, last.connections - first.connections);
    CHECK(last.bytes <= first.bytes + slack + opened * of_connection);
    CHECK(last.descriptors <= first.descriptors + descriptor_slack);
    CHECK(last.threads <= first.threads);
    CHECK(last.connections <= 8);  // pool_size 4, max_overflow 2, heartbeat, LISTEN
    CHECK(children_of(worker.pid()) == 0);
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);  // the leak sanitizer, where there is one, ends it with another
}

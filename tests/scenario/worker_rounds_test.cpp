// What a round trip of the engine is: one transaction for what finished and what is claimed, and little work a job.
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

using namespace tests;
using namespace std::chrono_literals;

namespace {

void await(const TestDatabase& database, const std::string& query, const std::string& wanted) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    std::string last;
    while ((last = database.value(query)) != wanted) {
        if (std::chrono::steady_clock::now() > limit)
            throw std::runtime_error("never came true: " + query + ": " + last);
    }
}

void enqueue(const TestDatabase& database, int jobs, const std::string& more = "") {
    database.psql(fmt::format(
        "select count(*) from task_queue.enqueue_many('noop', array_fill('{{}}'::json, array[{}]){})", jobs, more
    ));
}

const std::string none_left = "select count(*) from (select from task_queue.bundles limit 1) live";

}  // namespace

// One slot and nothing claimed ahead: every job that ends makes room for one, and is written by the round that claims
// it.
TEST_CASE("what finished is written in the transaction of the next claim", "[scenario][rounds]") {
    const TestDatabase database;
    database.psql(
        "create table public.written (what text, xid xid8 default pg_current_xact_id());"
        "create function public.note_write() returns trigger language plpgsql as $$ begin "
        "insert into public.written values (tg_argv[0]); return null; end $$;"
        "create trigger finish after delete on task_queue.bundles for each row execute function "
        "public.note_write('finish');"
        "create trigger claim after update on task_queue.bundles for each row when (old.state = 1 and new.state = 2) "
        "execute function public.note_write('claim')"
    );
    constexpr int jobs = 100;
    enqueue(database, jobs, ", bundle => 1");
    const WorkerProcess worker(
        database.url(), {{"TASK_WORKER_WORKER_CONCURRENCY", "1"}, {"TASK_WORKER_WORKER_PREFETCH", "0"}}
    );
    await(database, none_left, "0");
    CHECK(
        database.value(
            "select count(*) filter (where finishes) || ' finish, ' || count(*) filter (where claims) || ' claim, ' || "
            "count(*) filter (where finishes and claims) || ' do both' from (select bool_or(what = 'finish') as "
            "finishes, bool_or(what = 'claim') as claims from public.written group by xid) transactions"
        ) == fmt::format("{0} finish, {0} claim, {1} do both", jobs, jobs - 1)
    );
}

// The worker tells how often it has allocated as the result of a job. What is left is of rows and rounds, 63 and some
// thousands of jobs each; an allocation of the engine's own for each job would be one.
TEST_CASE("a worker allocates nothing for a job by itself", "[scenario][rounds]") {
    const TestDatabase database;
    const WorkerProcess worker(
        database.url(), {}, {}, std::filesystem::path(TASK_WORKER_BINARY).parent_path() / "tests/mixed-worker"
    );
    const auto allocations = [&] {
        const std::string id = database.value("select task_queue.enqueue('allocations')");
        await(database, "select state from task_queue.job(" + id + ")", "completed");
        return std::stoll(database.value("select result from task_queue.job(" + id + ")"));
    };
    constexpr int jobs = 300'000;
    const std::int64_t before = allocations();
    enqueue(database, jobs);
    await(database, none_left, "0");
    const double of_job = static_cast<double>(allocations() - before) / jobs;
    fmt::print("rounds: {:.3f} allocations a job\n", of_job);
    CHECK(of_job > 0);  // they were counted at all
    CHECK(of_job < 0.5);
}

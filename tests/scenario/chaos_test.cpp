// Faults of every kind, drawn by a seeded generator, under a mixed load: nothing committed is lost, nothing is finished
// twice, what jobs did in their transactions happened once, the batches' totals are right, and nothing stays behind.
//
// TASK_WORKER_CHAOS_SECONDS and TASK_WORKER_CHAOS_SEED say how long and which; `tests/run chaos` sets them.
#include "tests/scenario/chaos_fleet.hpp"
#include "tests/scenario/chaos_load.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/ledger_bed.hpp"
#include "tests/support/number_from.hpp"
#include "tests/support/psql.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

using namespace tests;
using namespace std::chrono_literals;

namespace {

std::string ask(const OwnServer& server, const std::string& query) {
    return psql(server.url(), query).at(0).at(0);
}

// Until every job has ended, every batch is finished, and whoever died is known to be dead.
void await_quiet(const OwnServer& server) {
    const std::string open =
        "select (select count(*) from task_queue.bundles) + (select count(*) from task_queue.batch_changes) "
        "+ (select count(*) from task_queue.batches where state <> 'finished') "
        "+ (select count(*) from task_queue.workers where dead_at is null) - " +
        std::to_string(ChaosFleet::size);
    const auto limit = std::chrono::steady_clock::now() + 120s;
    while (ask(server, open) != "0") {
        if (std::chrono::steady_clock::now() > limit) {
            throw std::runtime_error(
                "what is left never ends:\n" +
                ask(server,
                    "select coalesce(string_agg(line, e'\\n'), '') from (select format('%s', b) as line from "
                    "(select * from task_queue.bundles limit 10) b union all select format('%s', w) from "
                    "task_queue.workers w where dead_at is null) lines")
            );
        }
        std::this_thread::sleep_for(100ms);
    }
}

// How many processes have this text in their command line.
int processes_with(const std::string& text) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(entry.path() / "cmdline");
        const std::string words{std::istreambuf_iterator<char>(file), {}};
        if (words.find(text) != std::string::npos) ++count;
    }
    return count;
}

// "" or what the tables say against the books.
std::string audit(const OwnServer& server, const ChaosLoad::Books& books) {
    std::string wrong;
    for (const auto& [of_load, enqueued] : std::map<std::string, std::int64_t>{
             {"kind = 'chaos'", books.jobs},
             {"kind = 'ledger'", books.ledger},
             {"kind = 'noop' and priority <> 0", books.quick}
         }) {
        const std::string jobs = ask(
            server,
            "select format('%s jobs, %s different', count(*), count(distinct id)) from task_queue.jobs where " + of_load
        );
        if (jobs != fmt::format("{0} jobs, {0} different", enqueued)) {
            wrong += fmt::format("{} jobs with {} were enqueued, but there are {}\n", enqueued, of_load, jobs);
        }
    }
    const std::string batches =
        ask(server,
            "select format('%s batches of %s jobs', count(*), coalesce(sum(total), 0)) from task_queue.batches");
    if (batches != fmt::format("{} batches of {} jobs", books.batches, books.batch_jobs)) {
        wrong += fmt::format("{} batches of {} jobs, but there are {}\n", books.batches, books.batch_jobs, batches);
    }
    const std::string unequal = ask(server, R"sql(
        select coalesce(string_agg(format('batch %s counts %s/%s/%s, its jobs say %s/%s/%s', b.id, b.completed,
            b.discarded, b.cancelled, j.completed, j.discarded, j.cancelled), e'\n'), '')
        from task_queue.batches b
        cross join lateral (
            select count(*) filter (where state = 'completed') as completed,
                count(*) filter (where state = 'discarded') as discarded,
                count(*) filter (where state = 'cancelled') as cancelled
            from task_queue.jobs where batch_id = b.id
        ) j
        where (b.completed, b.discarded, b.cancelled) is distinct from (j.completed, j.discarded, j.cancelled)
    )sql");
    if (!unequal.empty()) wrong += unequal + "\n";
    const std::string callbacks = ask(server, "select count(*) from task_queue.jobs where kind = 'echo'");
    if (callbacks != std::to_string(books.batches)) {
        wrong += fmt::format("{} batches called back {} times\n", books.batches, callbacks);
    }
    return wrong;
}

// How many claims of 500 jobs or more took their last row whole: those of workers without a kind that has own_row.
int large_claims(const OwnServer& server) {
    return std::stoi(ask(server, R"sql(
        select count(*)
        from (
            select from task_queue.finished_bundles b
            join task_queue.workers w on w.id = b.worker_id and not w.kinds @> array['ledger']
            group by b.worker_id, b.claim_number
            having sum(task_queue.count_jobs(b.members)) >= 500
        ) claims
    )sql"));
}

}  // namespace

TEST_CASE("chaos: nothing is lost and nothing is finished twice", "[scenario][chaos]") {
    const auto seconds = std::chrono::seconds(number_from("TASK_WORKER_CHAOS_SECONDS", 20));
    const std::uint64_t seed = number_from("TASK_WORKER_CHAOS_SEED", 1);
    INFO("seed " << seed);
    ChaosFleet fleet;
    ChaosLoad load(fleet.server().url(), seed);
    fleet.start_workers(load.arguments());
    std::mt19937_64 random(seed);
    std::string slowest_fault = "none";
    std::chrono::milliseconds slowest{0};
    const auto end = std::chrono::steady_clock::now() + seconds;
    for (int light = 0; std::chrono::steady_clock::now() < end;) {
        const ChaosFleet::Struck struck = fleet.strike(random);
        if (struck.is_light && ++light % 5 != 0) continue;  // several at a time
        const auto took = fleet.probe();
        if (took > slowest) {
            slowest = took;
            slowest_fault = struck.fault;
        }
    }
    // The last ones kill no worker: whoever takes over from a dead one would find what that one forgot.
    for (int i = 0; i < 50; ++i) fleet.strike_lightly(random);
    load.stop();
    // Which worker gets a burst is a race between three; and a clock that steps has dead workers' rows deleted, with
    // which the count of their claims goes: it is taken now.
    int large = large_claims(fleet.server());
    for (int left = 100; left > 0 && large == 0; --left) {
        load.large_burst();
        fleet.strike_lightly(random);
        large = large_claims(fleet.server());
    }
    fleet.settle();
    await_quiet(fleet.server());
    CHECK(audit(fleet.server(), load.books()) == "");
    CHECK(witness_trouble(fleet.server().url()) == "");
    CHECK(large > 0);
    CHECK(fleet.stop_workers() == std::vector<std::string>{});
    CHECK(processes_with(load.folder()) == 0);
    CHECK_FALSE(load.ran_twice_at_once());

    int faults = 0;
    for (const auto& [name, count] : fleet.struck()) {
        fmt::print("chaos: {:5} {}\n", count, name);
        faults += count;
    }
    fmt::print(
        "chaos: seed {}: {} faults in {} s; {} quick jobs, {} large claims, {} programs, {} jobs in transactions with "
        "{} witnesses, {} "
        "jobs in {} batches, {} cancels; {} runs of programs, {} of them repeats; {} refused starts; slowest recovery "
        "{} ms, after: {}\n",
        seed,
        faults,
        seconds.count(),
        load.books().quick,
        large,
        load.books().jobs,
        load.books().ledger,
        ask(fleet.server(), "select count(*) from public.witness"),
        load.books().batch_jobs,
        load.books().batches,
        load.books().cancels,
        load.runs(),
        load.repeats(),
        fleet.refused_starts(),
        slowest.count(),
        slowest_fault
    );
}

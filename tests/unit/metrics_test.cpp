#include "worker/metrics.hpp"

#include "db/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/reference.hpp"

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace worker;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

Probes all_probes() {
    return {
        .pool =
            [] { return db::PoolStats{.size = 10, .checked_in = 3, .checked_out = 8, .overflow = 1, .waiting = 2}; },
        .engine =
            [] {
                return EngineSnapshot{.jobs_running = 4, .jobs_prefetched = 5, .leader = true, .heartbeat_age = 1500ms};
            },
        .handlers =
            [] {
                return std::vector<HandlerSnapshot>{
                    {.kind = "mail", .programs = ProgramsSnapshot{7, 2}},
                    {.kind = "api", .http = HttpSnapshot{{1, 0, 20}, 3}},
                    {.kind = "noop"}
                };
            },
    };
}

// One line for each family: name, type, its labels, what it means.
std::string list_families(const std::vector<tests::MetricFamily>& families) {
    std::string list;
    for (const auto& [name, labels, type, meaning] : families) {
        list += name + (labels.empty() ? "" : "{" + labels + "}") + " " + type + ": " + meaning + "\n";
    }
    return list;
}

}  // namespace

TEST_CASE("the metric families are those of tests/golden/metrics.txt", "[worker][metrics][golden][reference]") {
    Metrics metrics("0.1.0", {"mail"});
    metrics.set_probes(all_probes());
    metrics.set_queues({{.queue = "default"}});
    metrics.set_batches(std::vector<BatchGauge>{});
    metrics.set_budget(db::Budget{});
    metrics.hooks().on_statement("claim_bundles", 1ms, nullptr);
    const std::string text = metrics.to_text();
    const std::vector<tests::MetricFamily> families = tests::metric_families(text);
    tests::check_golden("tests/golden/metrics.txt", list_families(families));
    tests::check_golden("docs/reference/metrics.md", tests::metrics_reference(families));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        CHECK(line.find("task_worker_") == (line.starts_with('#') ? 7 : 0));
    }
}

TEST_CASE("a scrape reads the pool once and shows SQLAlchemy's numbers", "[worker][metrics]") {
    Metrics metrics("0.1.0", {});
    int reads = 0;
    Probes probes;
    probes.pool = [&] {
        ++reads;
        db::PoolStats stats{.size = 10, .checked_in = 3, .checked_out = 8, .overflow = 1, .waiting = 2};
        stats.checkouts = 70;
        stats.timeouts = 6;
        stats.invalid = 5;
        stats.opened = 26;
        stats.connect_failures = 9;
        stats.waits.add(0us);
        stats.waits.add(20us);
        stats.holds.add(2s);
        stats.holds.add(31s);
        stats.closed = {1, 4, 5, 2, 3};
        return stats;
    };
    metrics.set_probes(probes);
    const std::string text = metrics.to_text();
    CHECK(reads == 1);
    CHECK_THAT(text, Contains("task_worker_pool_checked_in 3\n") && Contains("task_worker_pool_checked_out 8\n"));
    CHECK_THAT(text, Contains("task_worker_pool_overflow 1\n") && Contains("task_worker_pool_waiting 2\n"));
    CHECK_THAT(text, Contains("task_worker_pool_size 10\n") && Contains("task_worker_pool_checkouts_total 70\n"));
    CHECK_THAT(text, Contains("task_worker_pool_timeouts_total 6\n") && Contains("task_worker_pool_invalid_total 5\n"));
    CHECK_THAT(text, Contains("task_worker_pool_opened_total 26\n"));
    CHECK_THAT(text, Contains("task_worker_pool_connect_failures_total 9\n"));
    const std::string wait = "task_worker_pool_checkout_wait_seconds";
    CHECK_THAT(text, Contains(wait + "_bucket{le=\"1e-05\"} 1\n") && Contains(wait + "_bucket{le=\"0.0001\"} 2\n"));
    CHECK_THAT(text, Contains(wait + "_count 2\n") && Contains(wait + "_sum 2e-05\n"));
    const std::string hold = "task_worker_pool_hold_seconds";
    CHECK_THAT(text, Contains(hold + "_bucket{le=\"5\"} 1\n") && Contains(hold + "_bucket{le=\"30\"} 1\n"));
    CHECK_THAT(text, Contains(hold + "_bucket{le=\"+Inf\"} 2\n") && Contains(hold + "_sum 33\n"));
    const std::vector<std::string> reasons{"overflow", "recycled", "invalid", "dirty", "shutdown"};
    const std::vector<std::string> closed{"1", "4", "5", "2", "3"};
    for (std::size_t i = 0; i < reasons.size(); ++i) {
        CHECK_THAT(text, Contains("task_worker_pool_closed_total{reason=\"" + reasons[i] + "\"} " + closed[i] + "\n"));
    }
    CHECK_THAT(text, !Contains("task_worker_jobs_running"));
}

namespace {
AttemptTally one(AttemptEnd end, std::chrono::nanoseconds took) {
    AttemptTally tally;
    tally.add(end, took);
    return tally;
}
}  // namespace

TEST_CASE("attempts count for their kind, those of unregistered kinds for other", "[worker][metrics]") {
    const Metrics metrics("0.1.0", {"mail", "thumbnail"});
    const KindMetrics& mail = metrics.of_kind("mail");
    AttemptTally tally;
    for (int i = 0; i < 3; ++i) tally.add(AttemptEnd::completed, 20ms);
    tally.add(AttemptEnd::retried, 2h);
    mail.count(tally);
    for (int i = 0; i < 500; ++i)
        metrics.of_kind("made-up-" + std::to_string(i)).count(one(AttemptEnd::discarded, 1ms));
    const std::string text = metrics.to_text();
    CHECK_THAT(text, Contains("task_worker_jobs_finished_total{kind=\"mail\",outcome=\"completed\"} 3\n"));
    CHECK_THAT(text, Contains("task_worker_jobs_finished_total{kind=\"mail\",outcome=\"retried\"} 1\n"));
    CHECK_THAT(text, Contains("task_worker_jobs_finished_total{kind=\"thumbnail\",outcome=\"completed\"} 0\n"));
    CHECK_THAT(text, Contains("task_worker_jobs_finished_total{kind=\"other\",outcome=\"discarded\"} 500\n"));
    CHECK_THAT(text, Contains("task_worker_job_duration_seconds_bucket{kind=\"mail\",le=\"0.05\"} 3\n"));
    CHECK_THAT(text, Contains("task_worker_job_duration_seconds_bucket{kind=\"mail\",le=\"3600\"} 3\n"));
    CHECK_THAT(text, Contains("task_worker_job_duration_seconds_count{kind=\"mail\"} 4\n"));
    CHECK_THAT(text, Contains("task_worker_job_duration_seconds_sum{kind=\"mail\"} 7200.06\n"));
    CHECK_THAT(text, Contains("task_worker_job_duration_seconds_bucket{kind=\"other\",le=\"0.001\"} 500\n"));
    CHECK_THAT(text, !Contains("made-up"));
}

TEST_CASE("hooks count statements", "[worker][metrics]") {
    Metrics metrics("0.1.0", {});
    const db::Hooks hooks = metrics.hooks();
    const db::Error error(db::ErrorKind::connection, "gone");
    hooks.on_statement("claim_bundles", 300us, nullptr);
    hooks.on_statement("claim_bundles", 40s, &error);
    for (int i = 0; i < 1'000; ++i) hooks.on_statement("built_" + std::to_string(i), 1ms, nullptr);
    const std::string text = metrics.to_text();
    CHECK_THAT(
        text,
        Contains("task_worker_statement_duration_seconds_bucket{statement=\"claim_bundles\",le=\"0.0005\"} 1\n") &&
            Contains("task_worker_statement_duration_seconds_count{statement=\"claim_bundles\"} 2\n") &&
            Contains("task_worker_statement_errors_total{statement=\"claim_bundles\"} 1\n")
    );
    CHECK_THAT(text, Contains("task_worker_statement_duration_seconds_count{statement=\"other\"} 801\n"));
    CHECK_THAT(text, !Contains("built_900"));
}

TEST_CASE("the queues' gauges are replaced whole, so that none stays behind", "[worker][metrics]") {
    Metrics metrics("0.1.0", {});
    metrics.set_queues({{.queue = "mail", .available = 7, .oldest_ready = 1500ms}, {.queue = "bulk"}});
    CHECK_THAT(metrics.to_text(), Contains("task_worker_queue_depth{queue=\"mail\",state=\"available\"} 7\n"));
    CHECK_THAT(metrics.to_text(), Contains("task_worker_queue_oldest_ready_seconds{queue=\"mail\"} 1.5\n"));
    metrics.set_queues({{.queue = "bulk"}});
    CHECK_THAT(metrics.to_text(), !Contains("mail"));
    metrics.set_queues({});
    CHECK_THAT(metrics.to_text(), !Contains("task_worker_queue_depth"));
}

TEST_CASE(
    "the batches' gauges have every state of those that have not finished, and go with the lead", "[worker][metrics]"
) {
    Metrics metrics("0.1.0", {});
    CHECK_THAT(metrics.to_text(), !Contains("task_worker_batches{"));
    metrics.set_batches(std::vector<BatchGauge>{{.state = "sealed", .batches = 2, .jobs_left = 70}});
    metrics.count_batches_finished(3);
    const std::string text = metrics.to_text();
    CHECK_THAT(text, Contains("task_worker_batches{state=\"sealed\"} 2\n"));
    CHECK_THAT(text, Contains("task_worker_batches{state=\"open\"} 0\n"));
    CHECK_THAT(text, Contains("task_worker_batch_jobs_left{state=\"sealed\"} 70\n"));
    CHECK_THAT(text, Contains("task_worker_batches_finished_total 3\n"));
    metrics.set_batches({});
    CHECK_THAT(metrics.to_text(), !Contains("task_worker_batches{"));
}

TEST_CASE("the budget's gauges say who claims how much, and go with the lead", "[worker][metrics][budget]") {
    Metrics metrics("0.1.0", {});
    const db::BudgetRequest request{
        .workers = {{"a", 32, true}, {"b", 32}},
        .other_connections = 30,
        .reserved_connections = 3,
        .server_max_connections = 90
    };
    metrics.set_budget(db::add_up(request));
    const std::string text = metrics.to_text();
    CHECK_THAT(text, Contains("task_worker_budget_connections{by=\"workers\"} 64\n"));
    CHECK_THAT(text, Contains("task_worker_budget_connections{by=\"other_services\"} 30\n"));
    CHECK_THAT(text, Contains("task_worker_budget_connections{by=\"reserved\"} 3\n"));
    CHECK_THAT(text, Contains("task_worker_budget_limit_connections 90\n"));
    CHECK_THAT(text, Contains("task_worker_budget_overrun_connections 7\n"));
    CHECK_THAT(text, Contains("task_worker_budget_workers 2\n"));
    metrics.set_budget({});
    CHECK_THAT(metrics.to_text(), !Contains("task_worker_budget"));
}

TEST_CASE("handlers show what they count, each kind what it has", "[worker][metrics]") {
    Metrics metrics("0.1.0", {});
    metrics.set_probes(all_probes());
    const std::string text = metrics.to_text();
    CHECK_THAT(text, Contains("task_worker_handler_programs_started_total{kind=\"mail\"} 7\n"));
    CHECK_THAT(text, Contains("task_worker_handler_programs{kind=\"mail\"} 2\n"));
    CHECK_THAT(text, Contains("task_worker_handler_http_answers_total{kind=\"api\",status=\"none\"} 1\n"));
    CHECK_THAT(text, Contains("task_worker_handler_http_answers_total{kind=\"api\",status=\"2xx\"} 20\n"));
    CHECK_THAT(text, Contains("task_worker_handler_http_connections_opened_total{kind=\"api\"} 3\n"));
    CHECK_THAT(text, !Contains("{kind=\"noop\"}"));
    metrics.set_probes({.handlers = [] { return std::vector<HandlerSnapshot>{{.kind = "noop"}}; }});
    CHECK_THAT(metrics.to_text(), !Contains("task_worker_handler_"));
}

TEST_CASE("the engine's counters and snapshot appear", "[worker][metrics]") {
    Metrics metrics("1.2.3", {});
    metrics.set_probes(all_probes());
    metrics.count_claim(0);
    metrics.count_claim(40);
    metrics.count_leases_lost(2);
    metrics.count_rescues(3);
    metrics.count_unknown_kind(4);
    const std::string text = metrics.to_text();
    for (const std::string_view line :
         {"claims_total 2",
          "claimed_jobs_total 40",
          "leases_lost_total 2",
          "rescues_total 3",
          "unknown_kind_total 4",
          "jobs_running 4",
          "jobs_prefetched 5",
          "leader 1",
          "heartbeat_age_seconds 1.5",
          "build_info{version=\"1.2.3\"} 1"}) {
        CHECK_THAT(text, Contains("\ntask_worker_" + std::string(line) + "\n"));
    }
}

TEST_CASE("metrics may be counted and scraped by several threads at once", "[worker][metrics]") {
    Metrics metrics("0.1.0", {"mail"});
    metrics.set_probes(all_probes());
    const db::Hooks hooks = metrics.hooks();
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                metrics.of_kind("mail").count(one(AttemptEnd::completed, 1ms));
                hooks.on_statement("s" + std::to_string(i % 10), 1ms, nullptr);
                metrics.set_queues({{.queue = "default", .available = i}});
                if (i % 100 == 0) metrics.to_text();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_THAT(
        metrics.to_text(), Contains("task_worker_jobs_finished_total{kind=\"mail\",outcome=\"completed\"} 2000\n")
    );
}

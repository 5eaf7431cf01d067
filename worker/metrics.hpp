#pragma once

// The worker's Prometheus families, all starting with task_worker_. tests/golden/metrics.txt lists them.
//
// Labels come from closed sets only: registered kinds (any other is "other"), declared queues, statements of this
// program, outcomes and states by name. What has a value at every moment is read at the scrape through Probes, in one
// snapshot each; the rest are counters and histograms.
//
// Thread: every member may be called from any thread.

#include "db/budget.hpp"
#include "db/histogram.hpp"
#include "db/pool_stats.hpp"
#include "db/settings.hpp"
#include "jobs/counters.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
class Counter;
class Histogram;
}  // namespace prometheus

namespace worker {

// How an attempt ended. `released` was handed back by a stopping worker.
enum class AttemptEnd { completed, retried, snoozed, discarded, cancelled, released };
inline constexpr std::array<std::string_view, 6> attempt_end_names{
    "completed", "retried", "snoozed", "discarded", "cancelled", "released"
};

// Bounds of job_duration_seconds.
inline constexpr std::array<std::chrono::milliseconds, 15> attempt_durations{
    std::chrono::milliseconds(1),
    std::chrono::milliseconds(5),
    std::chrono::milliseconds(10),
    std::chrono::milliseconds(50),
    std::chrono::milliseconds(100),
    std::chrono::milliseconds(500),
    std::chrono::seconds(1),
    std::chrono::milliseconds(2'500),
    std::chrono::seconds(5),
    std::chrono::seconds(10),
    std::chrono::seconds(30),
    std::chrono::minutes(1),
    std::chrono::minutes(5),
    std::chrono::minutes(15),
    std::chrono::hours(1),
};

// Attempts of one kind that ended, counted without an atomic until the next scrape wants to know. Its owner guards it.
class AttemptTally {
public:
    void add(AttemptEnd end, std::chrono::nanoseconds took);

private:
    friend class KindMetrics;
    friend class Metrics;
    std::array<std::uint64_t, attempt_end_names.size()> ended_{};
    db::Histogram<attempt_durations> took_;
};

// The series of one kind, looked up once.
class KindMetrics {
public:
    // Takes over what was counted.
    void count(AttemptTally tally) const;

private:
    friend class Metrics;
    std::array<prometheus::Counter*, attempt_end_names.size()> finished_{};
    prometheus::Histogram* duration_ = nullptr;
};

// What the engine answers when it is asked at a scrape.
struct EngineSnapshot {
    int jobs_running = 0;
    int jobs_prefetched = 0;
    bool leader = false;
    std::chrono::nanoseconds heartbeat_age{0};  // since the last accepted heartbeat was sent
};

// What the handler of one kind counts. Empty: it has nothing of that sort.
struct ProgramsSnapshot {
    std::uint64_t started = 0;
    int running = 0;
};
struct HttpSnapshot {
    std::array<std::uint64_t, jobs::HttpCounters::names.size()> answers{};
    std::uint64_t connections = 0;
};
struct HandlerSnapshot {
    std::string kind;
    std::optional<ProgramsSnapshot> programs{};
    std::optional<HttpSnapshot> http{};
};

// Callbacks of a scrape. An empty one leaves its families out. They must not block.
struct Probes {
    std::function<db::PoolStats()> pool{};
    std::function<EngineSnapshot()> engine{};
    std::function<std::vector<HandlerSnapshot>()> handlers{};
};

// One queue as the leader counted it; counts are bounded, see the leader.
struct QueueDepth {
    std::string queue;
    std::int64_t scheduled = 0;
    std::int64_t available = 0;
    std::int64_t running = 0;
    std::int64_t retryable = 0;
    std::chrono::nanoseconds oldest_ready{0};  // age of the oldest available job; 0 when there is none
};

// The batches in one state that have not finished, as the leader counted them.
struct BatchGauge {
    std::string state;
    std::int64_t batches = 0;
    std::int64_t jobs_left = 0;  // that have not ended
};

class Metrics {
public:
    // `kinds` are the registered ones.
    Metrics(std::string_view version, const std::vector<std::string>& kinds);
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    // Set before the first scrape; called by every scrape, before it reads anything else.
    void set_probes(Probes probes);

    // Hooks that count statements. They must not outlive this object.
    db::Hooks hooks();

    // The series of a kind, or of "other" for one that is not registered. Valid as long as this object.
    const KindMetrics& of_kind(std::string_view kind) const;

    void count_claim(std::int64_t jobs);  // one claim that won so many jobs, perhaps 0
    void count_leases_lost(std::int64_t jobs);
    void count_rescues(std::int64_t jobs);
    void count_batches_finished(std::int64_t batches);
    void count_unknown_kind(std::int64_t jobs);  // snoozed because no handler is registered

    // Attempts that ended since the start, by AttemptEnd, of all kinds; without those that no scrape has asked for yet.
    std::array<std::uint64_t, attempt_end_names.size()> attempts_ended() const;

    // Replaces the queues' gauges. The leader alone has them; one that lost its office gives none.
    void set_queues(std::vector<QueueDepth> queues);

    // Replaces the batches' gauges; the leader alone has them, and empty ones give none. States that are left out are
    // 0.
    void set_batches(std::optional<std::vector<BatchGauge>> batches);

    // Replaces the budget's gauges; the leader alone has them.
    void set_budget(std::optional<db::Budget> budget);

    // All families in Prometheus' text format, sorted by name.
    std::string to_text() const;

private:
    struct Families;
    std::unique_ptr<Families> families_;
    std::map<std::string, KindMetrics, std::less<>> kinds_;
};

}  // namespace worker

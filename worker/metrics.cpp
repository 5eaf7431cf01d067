#include "worker/metrics.hpp"

#include "db/error.hpp"
#include "worker/metrics_snapshot.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_map>

namespace worker {

namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;

constexpr std::string_view other = "other";
// Statement names are constants of the program; this only guards against one that builds them.
constexpr std::size_t most_statements = 200;

const Buckets& statement_buckets() {
    static const Buckets buckets{0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30};
    return buckets;
}
Buckets attempt_buckets() {
    Buckets buckets;
    for (const auto bound : attempt_durations) buckets.push_back(seconds(bound));
    return buckets;
}

// Looks names up without making strings of them: once a statement.
struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
};

// The series of one statement.
struct StatementMetrics {
    prometheus::Histogram* duration = nullptr;
    prometheus::Counter* errors = nullptr;
};

}  // namespace

void AttemptTally::add(AttemptEnd end, std::chrono::nanoseconds took) {
    ++ended_.at(static_cast<std::size_t>(end));
    took_.add(took);
}

void KindMetrics::count(AttemptTally tally) const {
    for (std::size_t end = 0; end < tally.ended_.size(); ++end) {
        finished_.at(end)->Increment(static_cast<double>(tally.ended_.at(end)));
    }
    const auto& counts = tally.took_.counts();
    duration_->ObserveMultiple({counts.begin(), counts.end()}, seconds(tally.took_.sum()));
}

struct Metrics::Families {
    prometheus::Family<prometheus::Counter>& counter(std::string_view name, std::string_view help) {
        return prometheus::BuildCounter().Name(family_name(name)).Help(std::string(help)).Register(registry);
    }
    prometheus::Family<prometheus::Histogram>& histogram(std::string_view name, std::string_view help) {
        return prometheus::BuildHistogram().Name(family_name(name)).Help(std::string(help)).Register(registry);
    }

    StatementMetrics of_statement(std::string_view name) {
        const std::lock_guard lock(mutex);
        const auto known = statements.find(name);
        if (known != statements.end()) return known->second;
        const std::string label(statements.size() < most_statements ? name : other);
        const StatementMetrics added{
            &statement_duration.Add({{"statement", label}}, statement_buckets()),
            &statement_errors.Add({{"statement", label}})
        };
        if (label != other) statements.emplace(label, added);
        return added;
    }

    prometheus::Registry registry;
    prometheus::Family<prometheus::Counter>& jobs_finished =
        counter("jobs_finished_total", "Attempts that ended, by kind and how");
    prometheus::Family<prometheus::Histogram>& job_duration =
        histogram("job_duration_seconds", "Time an attempt took in its handler");
    prometheus::Family<prometheus::Histogram>& statement_duration =
        histogram("statement_duration_seconds", "Time from sending a statement to its whole answer");
    prometheus::Family<prometheus::Counter>& statement_errors =
        counter("statement_errors_total", "Statements that failed");
    prometheus::Counter& claims = counter("claims_total", "Claims made, also those that won nothing").Add({});
    prometheus::Counter& claimed_jobs = counter("claimed_jobs_total", "Jobs won by claims").Add({});
    prometheus::Counter& leases_lost =
        counter("leases_lost_total", "Jobs whose lease was lost while they ran here").Add({});
    prometheus::Counter& rescues =
        counter("rescues_total", "Jobs of dead workers that this leader put back to the line").Add({});
    prometheus::Counter& batches_finished =
        counter("batches_finished_total", "Batches that this leader found finished").Add({});
    prometheus::Counter& unknown_kind =
        counter("unknown_kind_total", "Jobs snoozed because this worker has no handler for their kind").Add({});

    mutable std::mutex mutex;
    std::unordered_map<std::string, StatementMetrics, NameHash, std::equal_to<>> statements;  // guarded by mutex
    std::vector<QueueDepth> queues;                                                           // guarded by mutex
    std::optional<std::vector<BatchGauge>> batches;                                           // guarded by mutex
    std::optional<db::Budget> budget;                                                         // guarded by mutex
    Probes probes;                                                                            // guarded by mutex
};

Metrics::Metrics(std::string_view version, const std::vector<std::string>& kinds)
    : families_(std::make_unique<Families>()) {
    prometheus::BuildGauge()
        .Name(family_name("build_info"))
        .Help("1, with the version that runs as label")
        .Register(families_->registry)
        .Add({{"version", std::string(version)}})
        .Set(1);
    std::vector<std::string> labels = kinds;
    labels.emplace_back(other);
    for (const std::string& kind : labels) {
        KindMetrics& series = kinds_[kind];
        for (std::size_t end = 0; end < attempt_end_names.size(); ++end) {
            series.finished_.at(end) =
                &families_->jobs_finished.Add({{"kind", kind}, {"outcome", std::string(attempt_end_names.at(end))}});
        }
        series.duration_ = &families_->job_duration.Add({{"kind", kind}}, attempt_buckets());
    }
}

Metrics::~Metrics() = default;

void Metrics::set_probes(Probes probes) {
    const std::lock_guard lock(families_->mutex);
    families_->probes = std::move(probes);
}

db::Hooks Metrics::hooks() {
    Families* const families = families_.get();
    db::Hooks hooks;
    hooks.on_statement = [families](std::string_view statement, std::chrono::nanoseconds took, const db::Error* error) {
        const StatementMetrics series = families->of_statement(statement);
        series.duration->Observe(seconds(took));
        if (error != nullptr) series.errors->Increment();
    };
    return hooks;
}

const KindMetrics& Metrics::of_kind(std::string_view kind) const {
    const auto found = kinds_.find(kind);
    return found == kinds_.end() ? kinds_.find(other)->second : found->second;
}

void Metrics::count_claim(std::int64_t jobs) {
    families_->claims.Increment();
    families_->claimed_jobs.Increment(static_cast<double>(jobs));
}

void Metrics::count_leases_lost(std::int64_t jobs) {
    families_->leases_lost.Increment(static_cast<double>(jobs));
}

void Metrics::count_rescues(std::int64_t jobs) {
    families_->rescues.Increment(static_cast<double>(jobs));
}

void Metrics::count_batches_finished(std::int64_t batches) {
    families_->batches_finished.Increment(static_cast<double>(batches));
}

void Metrics::count_unknown_kind(std::int64_t jobs) {
    families_->unknown_kind.Increment(static_cast<double>(jobs));
}

std::array<std::uint64_t, attempt_end_names.size()> Metrics::attempts_ended() const {
    std::array<std::uint64_t, attempt_end_names.size()> ended{};
    for (const auto& [name, kind] : kinds_) {
        for (std::size_t end = 0; end < ended.size(); ++end) {
            ended.at(end) += static_cast<std::uint64_t>(kind.finished_.at(end)->Value());
        }
    }
    return ended;
}

void Metrics::set_queues(std::vector<QueueDepth> queues) {
    const std::lock_guard lock(families_->mutex);
    families_->queues = std::move(queues);
}

void Metrics::set_batches(std::optional<std::vector<BatchGauge>> batches) {
    const std::lock_guard lock(families_->mutex);
    families_->batches = std::move(batches);
}

void Metrics::set_budget(std::optional<db::Budget> budget) {
    const std::lock_guard lock(families_->mutex);
    families_->budget = std::move(budget);
}

std::string Metrics::to_text() const {
    Probes probes;
    std::optional<db::Budget> budget;
    std::vector<QueueDepth> queues;
    std::optional<std::vector<BatchGauge>> batches;
    {
        const std::lock_guard lock(families_->mutex);
        probes = families_->probes;
        queues = families_->queues;
        batches = families_->batches;
        budget = families_->budget;
    }
    std::optional<EngineSnapshot> engine;
    if (probes.engine) engine = probes.engine();  // first: it may count what the registry is asked for
    std::vector<prometheus::MetricFamily> all = families_->registry.Collect();
    if (probes.pool) append_pool(all, probes.pool());
    if (engine) append_engine(all, *engine);
    if (probes.handlers) append_handlers(all, probes.handlers());
    append_queues(all, queues);
    if (batches) append_batches(all, *batches);
    if (budget) append_budget(all, *budget);
    std::ranges::sort(all, {}, &prometheus::MetricFamily::name);
    return prometheus::TextSerializer().Serialize(all);
}

}  // namespace worker

#include "worker/metrics_snapshot.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace worker {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(std::string_view name, std::string_view help, MetricType type) {
    return {family_name(name), std::string(help), type, {}};
}

ClientMetric sample(double value, std::vector<ClientMetric::Label> labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = value;
    metric.counter.value = value;
    return metric;
}

MetricFamily gauge(std::string_view name, std::string_view help, double value) {
    MetricFamily one = family(name, help, MetricType::Gauge);
    one.metric.push_back(sample(value));
    return one;
}

MetricFamily counter(std::string_view name, std::string_view help, std::uint64_t value) {
    MetricFamily one = family(name, help, MetricType::Counter);
    one.metric.push_back(sample(static_cast<double>(value)));
    return one;
}

template <class Durations>
MetricFamily histogram(std::string_view name, std::string_view help, const Durations& durations) {
    ClientMetric metric;
    metric.histogram.sample_count = durations.count();
    metric.histogram.sample_sum = seconds(durations.sum());
    std::uint64_t so_far = 0;
    for (std::size_t i = 0; i < durations.counts().size(); ++i) {
        so_far += durations.counts().at(i);
        const bool last = i == durations.bounds.size();
        const double bound = last ? std::numeric_limits<double>::infinity() : seconds(durations.bounds.at(i));
        metric.histogram.bucket.push_back({so_far, bound});
    }
    MetricFamily one = family(name, help, MetricType::Histogram);
    one.metric.push_back(std::move(metric));
    return one;
}

}  // namespace

double seconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double>(duration).count();
}

std::string family_name(std::string_view name) {
    return "task_worker_" + std::string(name);
}

void append_pool(std::vector<MetricFamily>& families, const db::PoolStats& stats) {
    families.push_back(gauge("pool_size", "Connections that the pool keeps", stats.size));
    families.push_back(gauge("pool_checked_in", "Connections that are open and free", stats.checked_in));
    families.push_back(
        gauge("pool_checked_out", "Connections that are lent, or being opened, reset or cancelled", stats.checked_out)
    );
    families.push_back(gauge("pool_overflow", "Connections open beyond pool_size", stats.overflow));
    families.push_back(gauge("pool_waiting", "Callers in line for a session", stats.waiting));
    families.push_back(counter("pool_checkouts_total", "Sessions lent", stats.checkouts));
    families.push_back(counter("pool_timeouts_total", "Callers that waited longer than pool_timeout", stats.timeouts));
    families.push_back(counter("pool_invalid_total", "Connections found dead", stats.invalid));
    families.push_back(counter("pool_opened_total", "Connections opened", stats.opened));
    families.push_back(
        counter("pool_connect_failures_total", "Connections that could not be opened", stats.connect_failures)
    );
    families.push_back(histogram("pool_checkout_wait_seconds", "Time a caller waited for a session", stats.waits));
    families.push_back(histogram("pool_hold_seconds", "Time a session was on loan", stats.holds));
    MetricFamily closed = family("pool_closed_total", "Connections closed, by reason", MetricType::Counter);
    for (std::size_t i = 0; i < db::close_reason_names.size(); ++i) {
        const std::string reason(db::close_reason_names.at(i));
        closed.metric.push_back(sample(static_cast<double>(stats.closed.at(i)), {{"reason", reason}}));
    }
    families.push_back(std::move(closed));
}

void append_engine(std::vector<MetricFamily>& families, const EngineSnapshot& engine) {
    families.push_back(gauge("jobs_running", "Jobs in their handlers", engine.jobs_running));
    families.push_back(gauge("jobs_prefetched", "Jobs claimed that no slot has started yet", engine.jobs_prefetched));
    families.push_back(gauge("leader", "1 while this worker leads maintenance", engine.leader ? 1 : 0));
    families.push_back(
        gauge("heartbeat_age_seconds", "Time since the last accepted heartbeat was sent", seconds(engine.heartbeat_age))
    );
}

void append_handlers(std::vector<MetricFamily>& families, const std::vector<HandlerSnapshot>& handlers) {
    MetricFamily started =
        family("handler_programs_started_total", "Programs that exec handlers started", MetricType::Counter);
    MetricFamily running = family(
        "handler_programs", "Programs of exec handlers that run, in stream mode also without a job", MetricType::Gauge
    );
    MetricFamily answers = family(
        "handler_http_answers_total",
        "Answers to http handlers by status; none: a call without one",
        MetricType::Counter
    );
    MetricFamily connections =
        family("handler_http_connections_opened_total", "Connections that http handlers opened", MetricType::Counter);
    for (const HandlerSnapshot& handler : handlers) {
        const ClientMetric::Label kind{"kind", handler.kind};
        if (handler.programs) {
            started.metric.push_back(sample(static_cast<double>(handler.programs->started), {kind}));
            running.metric.push_back(sample(handler.programs->running, {kind}));
        }
        if (!handler.http) continue;
        connections.metric.push_back(sample(static_cast<double>(handler.http->connections), {kind}));
        for (std::size_t status = 0; status < handler.http->answers.size(); ++status) {
            const ClientMetric::Label label{"status", std::string(jobs::HttpCounters::names.at(status))};
            answers.metric.push_back(sample(static_cast<double>(handler.http->answers.at(status)), {kind, label}));
        }
    }
    for (MetricFamily* one : {&started, &running, &answers, &connections}) {
        if (!one->metric.empty()) families.push_back(std::move(*one));
    }
}

void append_budget(std::vector<MetricFamily>& families, const db::Budget& budget) {
    MetricFamily claimed = family(
        "budget_connections",
        "Connections claimed on the server, by whom, as the leader adds them up",
        MetricType::Gauge
    );
    const std::pair<const char*, int> claims[] = {
        {"workers", budget.by_workers()}, {"other_services", budget.other}, {"reserved", budget.reserved}
    };
    for (const auto& [by, connections] : claims) claimed.metric.push_back(sample(connections, {{"by", by}}));
    families.push_back(std::move(claimed));
    families.push_back(gauge("budget_limit_connections", "Connections that may be claimed", budget.limit));
    families.push_back(gauge("budget_overrun_connections", "Connections claimed beyond the limit", budget.overrun()));
    families.push_back(gauge("budget_workers", "Live workers whose connections were added up", budget.workers));
}

void append_batches(std::vector<MetricFamily>& families, const std::vector<BatchGauge>& batches) {
    MetricFamily count =
        family("batches", "Batches that have not finished, by state, as the leader counts", MetricType::Gauge);
    MetricFamily left = family("batch_jobs_left", "Jobs of those batches that have not ended", MetricType::Gauge);
    for (const char* state : {"open", "sealed", "cancelled"}) {
        const auto found = std::ranges::find(batches, state, &BatchGauge::state);
        const BatchGauge gauge = found == batches.end() ? BatchGauge{} : *found;
        count.metric.push_back(sample(static_cast<double>(gauge.batches), {{"state", state}}));
        left.metric.push_back(sample(static_cast<double>(gauge.jobs_left), {{"state", state}}));
    }
    families.push_back(std::move(count));
    families.push_back(std::move(left));
}

void append_queues(std::vector<MetricFamily>& families, const std::vector<QueueDepth>& queues) {
    if (queues.empty()) return;
    MetricFamily depth = family("queue_depth", "Live jobs by queue and state, as the leader counts", MetricType::Gauge);
    MetricFamily oldest =
        family("queue_oldest_ready_seconds", "Age of the oldest available job, 0 without one", MetricType::Gauge);
    for (const QueueDepth& queue : queues) {
        const std::pair<const char*, std::int64_t> states[] = {
            {"scheduled", queue.scheduled},
            {"available", queue.available},
            {"running", queue.running},
            {"retryable", queue.retryable},
        };
        for (const auto& [state, count] : states) {
            depth.metric.push_back(sample(static_cast<double>(count), {{"queue", queue.queue}, {"state", state}}));
        }
        oldest.metric.push_back(sample(seconds(queue.oldest_ready), {{"queue", queue.queue}}));
    }
    families.push_back(std::move(depth));
    families.push_back(std::move(oldest));
}

}  // namespace worker

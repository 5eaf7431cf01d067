#include "worker/status.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace json = boost::json;

namespace worker {

namespace {

double seconds_of(std::chrono::duration<double> duration) {
    return duration.count();
}

json::value value_of(const queue::Queue& queue, const queue::QueueDepth& depth) {
    json::value oldest = nullptr;
    if (depth.oldest) oldest = seconds_of(*depth.oldest);
    return {
        {"name", queue.name},
        {"paused", queue.paused},
        {"available", depth.available},
        {"scheduled", depth.scheduled},
        {"retryable", depth.retryable},
        {"running", depth.running},
        {"more", depth.bounded},
        {"oldest_ready_seconds", oldest},
    };
}

json::value value_of(const queue::BatchStatus& batch) {
    json::value eta = nullptr;
    if (batch.eta) eta = batch.eta->count();
    return {
        {"id", batch.id},
        {"name", batch.name},
        {"state", batch.state},
        {"round", batch.round},
        {"total", batch.total},
        {"completed", batch.completed},
        {"discarded", batch.discarded},
        {"cancelled", batch.cancelled},
        {"running", batch.running},
        {"waiting", batch.waiting},
        {"percent", batch.percent},
        {"recent_rate", batch.recent_rate},
        {"overall_rate", batch.overall_rate},
        {"eta_seconds", eta},
    };
}

json::value value_of(const queue::Worker& worker) {
    return {
        {"id", static_cast<std::int64_t>(worker.id)},
        {"host", worker.host},
        {"pid", worker.pid},
        {"version", worker.version},
        {"state", queue::state_name(worker)},
        {"slots", worker.slots},
        {"connections", worker.connections},
        {"kinds", json::value_from(worker.kinds)},
        {"queues", json::value_from(worker.queues)},
        {"heartbeat_age_seconds", seconds_of(worker.heartbeat_age)},
    };
}

json::value value_of(const queue::Failure& failure) {
    json::value next_run = nullptr;
    if (failure.next_run) next_run = seconds_of(*failure.next_run);
    return {
        {"job", static_cast<std::int64_t>(failure.job)},
        {"kind", failure.kind},
        {"queue", failure.queue},
        {"attempt", failure.attempt},
        {"max_attempts", failure.max_attempts},
        {"error", failure.error},
        {"age_seconds", seconds_of(failure.age)},
        {"next_run_seconds", next_run},
    };
}

template <class T>
json::array values_of(const std::vector<T>& all) {
    json::array values;
    for (const T& one : all) values.push_back(value_of(one));
    return values;
}

json::array values_of(const std::vector<queue::Queue>& queues, const std::vector<queue::QueueDepth>& depths) {
    json::array values;
    for (const queue::Queue& queue : queues) {
        const auto depth = std::ranges::find(depths, queue.id, &queue::QueueDepth::queue);
        if (depth != depths.end()) values.push_back(value_of(queue, *depth));
    }
    return values;
}

json::value value_of(const Overview::Seen& seen) {
    json::value trouble = nullptr;
    if (!seen.trouble.empty()) trouble = seen.trouble;
    if (!seen.fleet) return {{"age_seconds", nullptr}, {"trouble", trouble}};
    return {
        {"age_seconds", seconds_of(seen.age)},
        {"trouble", trouble},
        {"queues", values_of(seen.fleet->queues, seen.fleet->depths)},
        {"batches", values_of(seen.fleet->batches)},
        {"workers", values_of(seen.fleet->workers)},
        {"failures", values_of(seen.fleet->failures)},
    };
}

json::value ended_value(const std::array<std::uint64_t, attempt_end_names.size()>& ended) {
    json::object object;
    for (std::size_t end = 0; end < ended.size(); ++end) object[attempt_end_names.at(end)] = ended.at(end);
    return object;
}

}  // namespace

std::string status_json(const Status& status) {
    const json::value document = {
        {"worker_id", static_cast<std::int64_t>(status.worker)},
        {"version", status.self.version},
        {"host", status.self.host},
        {"pid", status.self.pid},
        {"leader", status.leader},
        {"listening", status.listening},
        {"stopping", status.stopping},
        {"heartbeat_age_seconds", seconds_of(status.heartbeat_age)},
        {"queues", json::value_from(status.self.queues)},
        {"kinds", json::value_from(status.self.kinds)},
        {"jobs",
         {{"slots", status.self.slots},
          {"running", status.engine.running},
          {"prefetched", status.engine.unstarted},
          {"unwritten", status.engine.unwritten},
          {"claiming", status.engine.claiming},
          {"ended", ended_value(status.ended)}}},
        {"pool",
         {{"size", status.pool.size},
          {"checked_in", status.pool.checked_in},
          {"checked_out", status.pool.checked_out},
          {"overflow", status.pool.overflow},
          {"waiting", status.pool.waiting},
          {"timeouts", status.pool.timeouts},
          {"invalid", status.pool.invalid}}},
        {"fleet", value_of(status.fleet)},
    };
    return json::serialize(document);
}

}  // namespace worker

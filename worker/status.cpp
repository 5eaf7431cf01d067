#include "worker/status.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>

namespace json = boost::json;

namespace worker {

namespace {

json::value batches_value(const std::optional<std::vector<queue::BatchStatus>>& batches) {
    if (!batches) return nullptr;
    json::array all;
    for (const queue::BatchStatus& batch : *batches) {
        json::value eta = nullptr;
        if (batch.eta) eta = batch.eta->count();
        all.push_back(
            {{"id", batch.id},
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
             {"eta_seconds", eta}}
        );
    }
    return all;
}

}  // namespace

std::string status_json(const Status& status) {
    const double age = std::chrono::duration<double>(status.heartbeat_age).count();
    const json::value document = {
        {"worker_id", static_cast<std::int64_t>(status.worker)},
        {"version", status.self.version},
        {"host", status.self.host},
        {"pid", status.self.pid},
        {"leader", status.leader},
        {"listening", status.listening},
        {"stopping", status.stopping},
        {"heartbeat_age_seconds", age},
        {"queues", json::value_from(status.self.queues)},
        {"kinds", json::value_from(status.self.kinds)},
        {"jobs",
         {{"slots", status.self.slots},
          {"running", status.engine.running},
          {"prefetched", status.engine.unstarted},
          {"unwritten", status.engine.unwritten},
          {"claiming", status.engine.claiming}}},
        {"pool",
         {{"size", status.pool.size},
          {"checked_in", status.pool.checked_in},
          {"checked_out", status.pool.checked_out},
          {"overflow", status.pool.overflow},
          {"waiting", status.pool.waiting},
          {"timeouts", status.pool.timeouts},
          {"invalid", status.pool.invalid}}},
        {"batches", batches_value(status.batches)},
    };
    return json::serialize(document);
}

}  // namespace worker

#include "worker/status.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>

namespace json = boost::json;

namespace worker {

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
    };
    return json::serialize(document);
}

}  // namespace worker

#include "worker/watchman.hpp"

namespace worker {

std::vector<queue::SeenBeat> Watchman::observe(std::span<const queue::Worker> workers, Time now) {
    if (now - last_read_ > gap_) seen_.clear();
    last_read_ = now;
    std::map<queue::WorkerId, Seen> seen;
    std::vector<queue::SeenBeat> dead;
    for (const queue::Worker& worker : workers) {
        if (worker.dead_at) continue;
        const auto before = seen_.find(worker.id);
        const bool moved = before == seen_.end() || before->second.beat != worker.beat;
        const Time since = moved ? now : before->second.since;
        if (now - since >= patience_) dead.push_back({worker.id, worker.beat});
        seen[worker.id] = {worker.beat, since};
    }
    seen_ = std::move(seen);
    return dead;
}

}  // namespace worker

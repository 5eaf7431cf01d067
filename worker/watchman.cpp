#include "worker/watchman.hpp"

namespace worker {

std::vector<queue::SeenBeat> Watchman::observe(std::span<const queue::SeenBeat> beats, Time now) {
    if (now - last_read_ > gap_) seen_.clear();
    last_read_ = now;
    std::map<queue::WorkerId, Seen> seen;
    std::vector<queue::SeenBeat> dead;
    for (const queue::SeenBeat& one : beats) {
        const auto before = seen_.find(one.worker);
        const bool moved = before == seen_.end() || before->second.beat != one.beat;
        const Time since = moved ? now : before->second.since;
        if (now - since >= patience_) dead.push_back(one);
        seen[one.worker] = {one.beat, since};
    }
    seen_ = std::move(seen);
    return dead;
}

}  // namespace worker

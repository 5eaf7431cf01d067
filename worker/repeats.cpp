#include "worker/repeats.hpp"

#include <utility>

namespace worker {

bool Repeats::admit(Place place, Time now) {
    if (places_.size() >= most_places && !places_.contains(place)) place.subject.clear();
    Count& count = places_.try_emplace(std::move(place), Count{now}).first->second;
    if (count.written == burst) {
        ++count.left_out;
        return false;
    }
    ++count.written;
    return true;
}

std::vector<Repeats::LeftOut> Repeats::due(Time now) {
    std::vector<LeftOut> all;
    for (auto at = places_.begin(); at != places_.end();) {
        if (now - at->second.since < interval) {
            ++at;
            continue;
        }
        if (at->second.left_out > 0) all.push_back({at->first, at->second.left_out});
        at = places_.erase(at);
    }
    return all;
}

}  // namespace worker

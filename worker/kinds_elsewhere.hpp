#pragma once

// Of kinds without a handler here: whether others have one, and whether the log has said so. Pure.

#include "queue/handlers.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <vector>

namespace worker {

class KindsElsewhere {
public:
    using Time = std::chrono::steady_clock::time_point;

    // Whether another worker has it; nothing when that is not known, or no more.
    std::optional<bool> known(queue::KindInQueue of, Time now) const {
        const auto found = known_.find(of);
        if (found == known_.end() || now - found->second.at > std::chrono::seconds(5)) return std::nullopt;
        return found->second.elsewhere;
    }
    // Kinds that others have, for as long as that is known, in every queue of which anything is known: who claimed them
    // nevertheless would take them from those others again and again.
    std::vector<queue::KindId> left_to_others(Time now) const {
        std::vector<queue::KindId> kinds;
        std::optional<queue::KindId> wanted;       // it is somebody's to put off
        for (const auto& [of, unused] : known_) {  // queue by queue of each kind
            const std::optional<bool> elsewhere = known(of, now);
            if (!elsewhere || of.kind == wanted) continue;
            const bool is_listed = !kinds.empty() && kinds.back() == of.kind;
            if (*elsewhere && !is_listed) kinds.push_back(of.kind);
            if (*elsewhere) continue;
            wanted = of.kind;
            if (is_listed) kinds.pop_back();
        }
        return kinds;
    }
    // Answers whether to tell people: at the first time, when it has changed, and once a minute where nobody has it.
    bool learn(queue::KindInQueue of, bool elsewhere, Time now) {
        const auto [found, first] = known_.try_emplace(of);
        Known& known = found->second;
        const bool changed = first || known.elsewhere != elsewhere;
        known.elsewhere = elsewhere;
        known.at = now;
        if (!changed && (elsewhere || now - known.told < std::chrono::minutes(1))) return false;
        known.told = now;
        return true;
    }

private:
    struct Known {
        bool elsewhere = false;
        Time at{};
        Time told{};
    };
    std::map<queue::KindInQueue, Known> known_;
};

}  // namespace worker

#pragma once

// Which workers are dead: those whose beat has not moved during lease_timeout of this process's own clock, with reads
// in between. So neither an outage of the database nor a step of any clock kills a healthy worker. Pure.

#include "queue/workers.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace worker {

class Watchman {
public:
    using Time = std::chrono::steady_clock::time_point;

    // `patience`: lease_timeout. Reads further apart than `gap` prove nothing: the watch starts anew.
    Watchman(std::chrono::milliseconds patience, std::chrono::milliseconds gap) : patience_(patience), gap_(gap) {}

    // The beats of the workers that live, as read at `now`. Answers those to declare dead.
    std::vector<queue::SeenBeat> observe(std::span<const queue::SeenBeat> beats, Time now);

private:
    struct Seen {
        std::int64_t beat = 0;
        Time since{};  // when this beat was seen first
    };
    std::map<queue::WorkerId, Seen> seen_;
    std::chrono::milliseconds patience_;
    std::chrono::milliseconds gap_;
    Time last_read_{};
};

}  // namespace worker

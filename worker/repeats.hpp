#pragma once

// How often the log says the same. Pure: no clock of its own.

#include "worker/config.hpp"

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace worker {

// Of lines that are the same, but for what tells one job from the other, so many are written in an interval; the others
// are counted.
class Repeats {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr int burst = 10;
    static constexpr std::chrono::seconds interval{30};
    static constexpr std::size_t most_places = 256;  // beyond them subjects are not told apart

    struct Place {
        Component component{};
        LogLevel level{};
        std::string message{};
        std::string subject{};  // what tells two lines with this message apart that are not the same

        auto operator<=>(const Place&) const = default;
    };
    struct LeftOut {
        Place place;
        std::int64_t lines = 0;
    };

    // Whether the line is written.
    bool admit(Place place, Time now);
    // Of the intervals that are over: what was left out in each, once.
    std::vector<LeftOut> due(Time now);
    bool empty() const { return places_.empty(); }

private:
    struct Count {
        Time since;
        int written = 0;
        std::int64_t left_out = 0;
    };
    std::map<Place, Count> places_;
};

}  // namespace worker

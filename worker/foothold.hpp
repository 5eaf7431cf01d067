#pragma once

// Where the leader's looks begin. What is due, and what was appended about batches, is taken from the head of an index.
// As long as a look from the beginning is quick, each begins there. While a long transaction keeps the entries of what
// was taken from being removed it is not: then looks begin where they stood a while ago, and at the beginning so seldom
// that it takes a fiftieth of the time. What comes late, behind them, is found then. Pure.

#include "db/rows.hpp"

#include <chrono>
#include <cstdint>

namespace worker {

class Foothold {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    // {}: the beginning.
    struct Place {
        db::TimePoint due{};      // jobs due from then on
        std::int64_t change = 0;  // changes above this one
        bool operator==(const Place&) const = default;
    };

    // Where the look at `now` begins.
    Place place(Time now) const;
    // A look from there took so long.
    void looked(const Place& from, Duration took, Time now);
    // What was due until then is taken; so are the changes up to this one.
    void took_due(db::TimePoint until);
    void took_changes(std::int64_t last);

private:
    void lag(Time now);

    Place latest_;
    Place recent_;  // of the last 10 s
    Place behind_;  // of 10 to 20 s ago
    Time next_lag_{};
    Time next_beginning_{};
    bool costly_ = false;
};

}  // namespace worker

#pragma once

// Where claims begin in each lane. Pure: the clock is passed in.
//
// A claim that always looks from the start of a line wades through the index entries of all that was claimed since the
// oldest open transaction began. So claims begin where they stood a while ago, and sweeps look at what lies before. A
// cursor is never the truth: whatever becomes available behind it (a late commit, a retry, another worker's release) is
// found by the next sweep.

#include "queue/claim.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

namespace worker {

class Cursors {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    // Rows with after < id <= until, of every lane.
    struct Window {
        queue::RowId after{};
        queue::RowId until{};
        bool operator==(const Window&) const = default;
    };

    // Between two sweeps of everything, unless they are dear: they may take a twentieth of the time.
    explicit Cursors(std::chrono::milliseconds sweep = std::chrono::seconds(1)) : interval_(sweep) {}

    // After which row a claim of the lane begins: the last that claims had taken two seconds ago, so that ordinary late
    // commits need no sweep, but not more than 8,000 rows back, which every claim would wade through.
    queue::RowId after(queue::QueueId queue, std::int16_t priority, Time now) const;
    // A claim that was no sweep took so many rows of the lane, up to this one.
    void claimed(queue::QueueId queue, std::int16_t priority, queue::RowId last, std::size_t rows, Time now);
    // Rows from this one on may be available again.
    void step_back(queue::RowId row);

    // Whether looking from the start is dear: then even a worker with nothing to do claims from the cursor.
    bool is_costly() const { return costly_; }
    // A claim from the start of every lane that found little took so long. Dear is what is never quick within a second.
    void looked(Duration took, Time now);

    // The window to sweep, if one is due: nothing while no claim begins past a line's start.
    std::optional<Window> sweep(Time now);
    // The window was looked at; `emptied`: all that was available in it was taken.
    void swept(const Window& window, bool emptied, Duration took, Time now);

    // Something may have become available, before or behind: a sweep that began earlier may have missed it.
    void woken() { ++wakes_; }
    // When the next window must be looked at even though nothing else happens until then: in the middle of a sweep, or
    // after woken(). nullopt: no need.
    std::optional<Time> due(Time now) const;

    // Everything begins at the start again.
    void forget() { *this = Cursors(interval_); }

private:
    struct Stand {
        Time at;
        queue::RowId row{};
        std::size_t taken = 0;  // rows of the lane until then
    };
    struct Lane {
        std::deque<Stand> stands;  // oldest first, a fifth of a second or a thousand rows apart
        Stand latest;
    };
    queue::RowId end(Time now) const;

    std::chrono::milliseconds interval_;
    std::map<std::pair<queue::QueueId, std::int16_t>, Lane> lanes_;
    queue::RowId position_{};                     // of the sweep in progress
    std::int64_t width_ = std::int64_t{1} << 24;  // of a window, in ids
    Time next_{};
    std::uint64_t wakes_ = 0;
    std::uint64_t begun_at_ = 0;  // wakes_ when the sweep in progress, or the last one, began
    bool costly_ = false;
    Time looking_since_{};
    Duration quickest_look_ = Duration::max();
};

}  // namespace worker

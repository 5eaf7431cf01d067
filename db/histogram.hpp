#pragma once

// Durations counted by length: as many as were no longer than each bound, beyond the one before it. No lock, no
// allocation: its owner guards it.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>

namespace db {

// `upper_bounds`: a constexpr array of durations, ascending.
template <const auto& upper_bounds>
class Histogram {
public:
    using Duration = std::chrono::nanoseconds;
    using Counts = std::array<std::uint64_t, upper_bounds.size() + 1>;
    static constexpr const auto& bounds = upper_bounds;

    void add(Duration duration) {
        ++counts_[bucket(duration)];
        sum_ += duration;
    }
    // Takes back what was added.
    void remove(Duration duration) {
        --counts_[bucket(duration)];
        sum_ -= duration;
    }

    const Counts& counts() const { return counts_; }  // by bound; the last is of what is longer than all of them
    std::uint64_t count() const { return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0}); }
    Duration sum() const { return sum_; }

private:
    static std::size_t bucket(Duration duration) {
        std::size_t at = 0;
        while (at < upper_bounds.size() && duration > upper_bounds[at]) ++at;
        return at;
    }

    Counts counts_{};
    Duration sum_{0};
};

}  // namespace db

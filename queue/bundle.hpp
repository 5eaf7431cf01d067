#pragma once

// Bundle arithmetic: a row of the queue carries 1 to 63 jobs as two masks. Pure; SQL and this file agree by a test.
//
// A base id is a multiple of 128; job n (0..62) of it has the id base + n for ever. A row's id is base + its lowest
// job when born, or base + 64 + n for a job that left its bundle (a single, never split).

#include "queue/ids.hpp"

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace queue {

using Mask = std::int64_t;  // 63 bits, never negative

inline constexpr int max_bundle_jobs = 63;
inline constexpr std::int64_t base_step = 128;

constexpr std::int64_t base_of(std::int64_t id) {
    return id & ~(base_step - 1);
}
constexpr int job_number(JobId job) {
    return static_cast<int>(static_cast<std::int64_t>(job) & 127);
}
constexpr bool is_single_row(RowId row) {
    return (static_cast<std::int64_t>(row) & 64) != 0;
}
constexpr Mask bit(int n) {
    return Mask{1} << n;
}
constexpr Mask first_bits(int n) {
    return static_cast<Mask>(~std::uint64_t{0} >> (64 - n)) & ~(Mask{1} << 63);
}
constexpr int count(Mask mask) {
    return std::popcount(static_cast<std::uint64_t>(mask));
}
constexpr JobId job_id(RowId row, int n) {
    return JobId{base_of(static_cast<std::int64_t>(row)) + n};
}
// The place of job n's args in the row's args array.
constexpr int element_of(RowId row, int n) {
    return is_single_row(row) ? 0 : n - static_cast<int>(static_cast<std::int64_t>(row) & 127);
}
// The bundle size that an enqueue of n jobs gets when its caller does not choose: clamp(n / 16, 1, 63).
constexpr int bundle_size(std::int64_t jobs) {
    const std::int64_t size = jobs / 16;
    return static_cast<int>(size < 1 ? 1 : size > max_bundle_jobs ? max_bundle_jobs : size);
}

// The masks of the pieces that a bundle is cut into when a claim wants fewer jobs than it has: all of it at once, each
// piece `jobs` jobs but the last, in ascending order; the first keeps the row. `jobs` is at least 1.
std::vector<Mask> cut(Mask pending, int jobs);

}  // namespace queue

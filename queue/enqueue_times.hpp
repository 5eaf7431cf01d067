#pragma once

// Times as the parameters of enqueue statements: whole numbers, exact where seconds as double would not be.

#include "db/rows.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace queue {

inline std::optional<std::int64_t> microseconds_of(const std::optional<db::TimePoint>& time) {
    if (!time) return std::nullopt;
    return time->time_since_epoch().count();
}

inline std::optional<std::int64_t> milliseconds_of(const std::optional<std::chrono::milliseconds>& duration) {
    if (!duration) return std::nullopt;
    return duration->count();
}

}  // namespace queue

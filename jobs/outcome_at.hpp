#pragma once

// Outcomes with a time instead of a delay: at once where it is past.
//
//     if (!shop.is_open(now)) co_return snooze_until(shop.opens_at(now), "closed");

#include "jobs/outcome.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace jobs {

namespace detail {

inline std::chrono::milliseconds until(
    std::chrono::system_clock::time_point time, std::chrono::system_clock::time_point now
) {
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(time - now), std::chrono::milliseconds(0));
}

}  // namespace detail

// `now` is for tests.
inline Retry retry_at(
    std::chrono::system_clock::time_point time,
    std::string error,
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now()
) {
    return {std::move(error), detail::until(time, now)};
}
inline Snooze snooze_until(
    std::chrono::system_clock::time_point time,
    std::string reason = {},
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now()
) {
    return {detail::until(time, now), std::move(reason)};
}

}  // namespace jobs

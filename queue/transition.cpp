#include "queue/transition.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace queue {

namespace {

constexpr std::array<std::string_view, 8> names{
    "scheduled", "available", "running", "retryable", "available", "completed", "cancelled", "discarded"
};

}  // namespace

std::string_view state_name(State state) {
    return names.at(static_cast<std::size_t>(state));
}

std::optional<State> state_named(std::string_view name) {
    const auto* found = std::ranges::find(names, name);
    if (found == names.end()) return std::nullopt;
    return static_cast<State>(found - names.begin());
}

std::chrono::milliseconds backoff_delay(const Backoff& backoff, int attempt, double random) {
    const auto cap = static_cast<double>(backoff.cap.count());
    const auto first = static_cast<double>(backoff.first.count());
    const double delay = std::min(cap, first * std::pow(backoff.factor, std::max(attempt, 1) - 1));
    const double jittered = delay * (1 + backoff.jitter * (2 * random - 1));
    return std::chrono::milliseconds(std::llround(std::max(jittered, 0.0)));
}

}  // namespace queue

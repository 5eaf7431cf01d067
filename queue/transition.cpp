#include "queue/transition.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace queue {

namespace {

constexpr std::array<std::string_view, 8> names{
    "scheduled", "available", "running", "retryable", "available", "completed", "cancelled", "discarded"
};

// In milliseconds, without cap and jitter.
double plain_delay(const Backoff& backoff, int attempt) {
    const auto first = static_cast<double>(backoff.first.count());
    switch (backoff.policy) {
        case BackoffPolicy::exponential:
            return first * std::pow(backoff.factor, attempt - 1);
        case BackoffPolicy::polynomial:
            return first * std::pow(attempt, backoff.power);
        case BackoffPolicy::list:
            if (backoff.delays.empty()) return first;
            return static_cast<double>(
                backoff.delays[std::min(backoff.delays.size(), static_cast<std::size_t>(attempt)) - 1].count()
            );
        case BackoffPolicy::fixed:
            break;
    }
    return first;
}

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
    const double delay = std::min(cap, plain_delay(backoff, std::max(attempt, 1)));
    const double jittered = delay * (1 + backoff.jitter * (2 * random - 1));
    return std::chrono::milliseconds(std::llround(std::max(jittered, 0.0)));
}

}  // namespace queue

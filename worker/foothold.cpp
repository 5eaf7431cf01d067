#include "worker/foothold.hpp"

#include <algorithm>
#include <utility>

using namespace std::chrono_literals;

namespace worker {

namespace {
constexpr Foothold::Duration quick = 50ms;
constexpr Foothold::Duration late = 10s;  // what commits later than that may wait for a look from the beginning
constexpr int share = 50;
}  // namespace

Foothold::Place Foothold::place(Time now) const {
    return costly_ && now < next_beginning_ ? behind_ : Place{};
}

void Foothold::looked(const Place& from, Duration took, Time now) {
    lag(now);
    if (from != Place{}) return;
    costly_ = took > quick;
    next_beginning_ = now + std::max(late, share * took);
}

void Foothold::took_due(db::TimePoint until) {
    latest_.due = std::max(latest_.due, until);
}

void Foothold::took_changes(std::int64_t last) {
    latest_.change = std::max(latest_.change, last);
}

void Foothold::lag(Time now) {
    if (now < next_lag_) return;
    behind_ = std::exchange(recent_, latest_);
    next_lag_ = now + late;
}

}  // namespace worker

#include "worker/pacing.hpp"

#include <algorithm>

namespace worker {

namespace {
constexpr std::chrono::milliseconds horizon{50};       // prefetch covers this much of the future
constexpr int full_measure = 500;                      // jobs that are worth a second round trip beside the first
constexpr std::chrono::milliseconds first_backoff{2};  // after a claim that came back short: 2, 4, 8 .. poll
constexpr std::chrono::milliseconds rate_window{50};
}  // namespace

int Pacing::wanted(const Load& load, Time now) const {
    if (!load.claiming) return 0;
    // What was measured long ago says nothing of the jobs that come now.
    const double rate = now - rate_since_ > 10 * rate_window ? 0 : rate_;
    const int ahead =
        std::min(settings_.prefetch, static_cast<int>(rate * std::chrono::duration<double>(horizon).count()));
    const int wanted = settings_.slots - load.running + ahead - load.startable - load.asked;
    // Jobs that a limit holds back wait here too: they may not pile up.
    const int room = settings_.slots + settings_.prefetch - load.running - load.unstarted - load.asked;
    return std::clamp(std::min(wanted, room), 0, std::max(settings_.slots, settings_.prefetch));
}

std::optional<Pacing::Time> Pacing::due(const Load& load, Time now) const {
    std::optional<Time> due;
    const auto by = [&](Time time) { due = due ? std::min(*due, time) : time; };
    const int wanted = this->wanted(load, now);
    if (load.rounds > 0) {
        if (load.rounds == 1 && !is_hungry() && (load.outcomes >= full_measure || wanted >= full_measure)) return now;
        return std::nullopt;
    }
    if (load.outcomes > 0) {
        // Company is worth a wait only while there is other work; an idle worker's latency must not pay for it.
        by(load.startable == 0 || !load.outcomes_since ? now : *load.outcomes_since + settings_.linger);
    }
    if (wanted > 0) {
        if (woken_) by(now);
        if (backoff_.count() == 0) {
            // More is there: refill before the line runs dry.
            if (load.startable <= wanted) by(now);
        } else {
            by(next_poll_);
        }
    }
    return due;
}

void Pacing::claimed(int asked, int got, Time now) {
    if (got >= asked) {
        backoff_ = std::chrono::milliseconds(0);
        return;
    }
    backoff_ = got > 0 || backoff_.count() == 0 ? first_backoff : std::min(backoff_ * 2, settings_.poll);
    next_poll_ = now + backoff_;
}

void Pacing::started(int jobs, Time now) {
    rate_jobs_ += jobs;
    const auto window = now - rate_since_;
    if (window < rate_window) return;
    const double measured = rate_jobs_ / std::chrono::duration<double>(window).count();
    rate_ = window > 10 * rate_window ? measured : (rate_ + measured) / 2;
    rate_since_ = now;
    rate_jobs_ = 0;
}

}  // namespace worker

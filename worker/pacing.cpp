#include "worker/pacing.hpp"

#include "worker/config.hpp"
#include "worker/jitter.hpp"

#include <algorithm>

namespace worker {

namespace {
constexpr std::chrono::milliseconds horizon{50};  // prefetch covers this much of the future
// Jobs that are worth a second round trip beside the first: what runs in this time, at least and at most so many.
constexpr std::chrono::milliseconds full_measure{4};
constexpr int least_measure = 500;
constexpr int most_measure = 4'000;
constexpr std::size_t most_bytes = std::size_t{32} * 1024 * 1024;  // of args that wait for a slot
constexpr std::chrono::milliseconds first_backoff{2};              // after a claim that came back short: 2, 4, 8 ..
constexpr std::chrono::milliseconds trust{1'000};  // what commits later is found by the leader, who looks as often
constexpr std::chrono::milliseconds rate_window{50};
// A rate that doubled is believed sooner, so that a burst is not worked off slot by slot: as soon as each slot has
// started so many jobs. Slots that were filled once say nothing of how long a job takes.
constexpr std::chrono::milliseconds least_window{1};
constexpr int turns_of_slots = 4;
constexpr int quiet_polls = 10;  // the pause between looks, in polls, while notifications arrive
}  // namespace

PacingSettings pacing_settings(const WorkerConfig& config) {
    return {
        .slots = config.concurrency,
        .prefetch = config.prefetch,
        .poll = jittered(config.poll),
        .quiet_poll = jittered(quiet_polls * config.poll),
        .linger = config.linger,
    };
}

// Jobs that start in so much time at the measured rate. What was measured long ago says nothing of those that come now.
int Pacing::jobs_in(std::chrono::milliseconds time, Time now) const {
    const double rate = now - rate_since_ > 10 * rate_window ? 0 : rate_;
    return static_cast<int>(rate * std::chrono::duration<double>(time).count());
}

int Pacing::wanted(const Load& load, Time now) const {
    if (!load.claiming) return 0;
    const int ahead = load.bytes >= most_bytes ? 0 : std::min(settings_.prefetch, jobs_in(horizon, now));
    const int wanted = settings_.slots - load.running + ahead - load.startable - load.asked;
    // Jobs that a limit holds back wait here too: they may not pile up.
    const int room = settings_.slots + settings_.prefetch - load.running - load.unstarted - load.asked;
    // What cannot be written piles up no further than what can be claimed ahead, or than a turn of the slots.
    const int unwritten = std::max(0, load.outcomes - std::max(settings_.slots, settings_.prefetch));
    // A quarter at once: another is on its way, and two stand in the line.
    return std::clamp(std::min(wanted, room) - unwritten, 0, std::max(settings_.slots, settings_.prefetch / 4));
}

int Pacing::asks(const Load& load, Time now) const {
    const int wanted = this->wanted(load, now);
    return woken_ || load.startable <= wanted || wanted >= least_measure ? wanted : 0;
}

std::optional<Pacing::Time> Pacing::due(const Load& load, Time now) const {
    std::optional<Time> due;
    const auto by = [&](Time time) { due = due ? std::min(*due, time) : time; };
    const int wanted = this->wanted(load, now);
    if (load.rounds > 0) {
        const int measure = std::clamp(jobs_in(full_measure, now), least_measure, most_measure);
        if (load.rounds < load.most_rounds && !is_hungry() && std::max(load.whole, wanted) >= measure) return now;
        return std::nullopt;
    }
    if (load.outcomes > 0) {
        const bool lingers = may_linger(load) && load.outcomes_since;
        // Rows that are old one after the other go together.
        by(lingers
               ? std::max(
                     *load.outcomes_since + settings_.linger, sent_ + std::chrono::microseconds(settings_.linger) / 2
                 )
               : now);
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
    if (got > 0 || backoff_.count() == 0) {
        backoff_ = first_backoff;
    } else if (listening_ && 2 * backoff_ > trust) {
        backoff_ = settings_.quiet_poll;
    } else {
        backoff_ = std::min(2 * backoff_, settings_.poll);
    }
    next_poll_ = now + backoff_;
}

void Pacing::set_listening(bool listening) {
    if (listening_ && !listening) wake();
    listening_ = listening;
}

void Pacing::started(int jobs, Time now) {
    rate_jobs_ += jobs;
    const auto window = now - rate_since_;
    if (window < least_window) return;
    const double seconds = std::chrono::duration<double>(window).count();
    const bool has_doubled = rate_jobs_ >= turns_of_slots * settings_.slots && rate_jobs_ > 2 * rate_ * seconds;
    if (window < rate_window && !has_doubled) return;
    const double measured = rate_jobs_ / seconds;
    rate_ = window > 10 * rate_window ? measured : (rate_ + measured) / 2;
    rate_since_ = now;
    rate_jobs_ = 0;
}

}  // namespace worker

#pragma once

// When the claimer makes its next round trip, and how many jobs it asks for. Pure: the clock is passed in.

#include <chrono>
#include <cstddef>
#include <optional>

namespace worker {

struct WorkerConfig;

struct PacingSettings {
    int slots = 10;
    int prefetch = 32'000;
    std::chrono::milliseconds poll{1'000};         // longest pause between two looks at an empty line
    std::chrono::milliseconds quiet_poll{10'000};  // the pause while notifications arrive, after the first second
    std::chrono::milliseconds linger{5};
};

// What the configuration asks for, its polls varied by a tenth, so that a fleet started together does not look
// together.
PacingSettings pacing_settings(const WorkerConfig& config);

// What the engine holds at an instant.
struct Load {
    int running = 0;
    int unstarted = 0;                                                      // claimed, not started
    int startable = 0;                                                      // of them, those no limit holds back
    int outcomes = 0;                                                       // finished, not written
    int whole = 0;                                                          // of them, those whose rows are whole
    std::optional<std::chrono::steady_clock::time_point> outcomes_since{};  // when the oldest finished
    int rounds = 0;                                                         // round trips on their way
    int most_rounds = 2;                                                    // that may be
    int asked = 0;                                                          // jobs that they ask for
    std::size_t bytes = 0;                                                  // of the args of those not started
    bool claiming = true;                                                   // false: stopping, or no lane to claim from
};

class Pacing {
public:
    using Time = std::chrono::steady_clock::time_point;

    explicit Pacing(PacingSettings settings) : settings_(settings) {}

    // Jobs to ask for: the free slots, and what they will start in the next 50 ms at the measured rate, so that a
    // second round trip can be on its way while the jobs of the first run. None of these while 32 MiB of args wait.
    int wanted(const Load& load, Time now) const;
    // What of it a round asks for that goes out now: nothing while most of what was claimed ahead is still there. Small
    // claims cut rows, which costs more than the jobs.
    int asks(const Load& load, Time now) const;
    // When the next round is due; nullopt: not before something changes. Under load two may be on their way.
    std::optional<Time> due(const Load& load, Time now) const;

    // Whether what finished of rows of which jobs still run or wait may wait for company: while there is other work, or
    // a round on its way brings more. An idle worker's latency must not pay for it.
    bool may_linger(const Load& load) const { return load.startable > 0 || (load.rounds > 0 && !is_hungry()); }

    // A round goes out.
    void sent(Time now) { sent_ = now; }
    // A claim goes out: what wakes from now on is for the next.
    void asked() { woken_ = false; }
    // It brought so many of the jobs it asked for.
    void claimed(int asked, int got, Time now);
    // A notification, or a change of this process's own: look at once.
    void wake() { woken_ = true; }
    // Whether notifications arrive. When they cease: look at once.
    void set_listening(bool listening);
    // A job started: the rate feeds the prefetch.
    void started(int jobs, Time now);
    // A claim that came back short leaves a worker hungry: it wants a notification.
    bool is_hungry() const { return backoff_ > std::chrono::milliseconds(0); }
    // A round that goes out now was asked for, and not only due for long.
    bool is_woken() const { return woken_; }
    // The pause before the next look at a line found empty: it grows with the time that it was.
    std::chrono::milliseconds backoff() const { return backoff_; }

private:
    int jobs_in(std::chrono::milliseconds time, Time now) const;

    PacingSettings settings_;
    Time sent_{};  // the last round
    Time next_poll_{};
    std::chrono::milliseconds backoff_{0};  // 0 while claims come back full
    bool woken_ = true;
    bool listening_ = false;
    double rate_ = 0;  // jobs started a second, smoothed
    Time rate_since_{};
    int rate_jobs_ = 0;
};

}  // namespace worker

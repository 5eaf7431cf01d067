#pragma once

// When a worker that is never idle makes room for a suspect, which must run alone. Pure.
//
// An idle worker takes suspects at once. Where one still waits after a while, a busy worker holds: it claims nothing
// until its jobs have ended, and then the suspect. Jobs that last longer than a hold end it; the next may take twice as
// long, so that any suspect has its turn at last. Holds take a fifth of a worker's time at most.

#include <chrono>
#include <optional>

namespace worker {

class SuspectTurn {
public:
    using Time = std::chrono::steady_clock::time_point;

    // `patience`: how long an idle worker has the chance to take the suspect. Better not the same for all workers.
    explicit SuspectTurn(std::chrono::milliseconds patience) : patience_(patience) {}

    // Jobs were claimed: who had none for as long as its patience has been idle, and looks later.
    void worked(Time now);
    // When a busy worker asks next whether a suspect waits; nothing while it holds.
    std::optional<Time> next_look() const;
    // It was asked at `now`.
    void looked(bool waits, Time now);

    bool holds() const { return held_since_.has_value(); }
    // When a hold has taken too long; nothing while there is none, or while its suspect runs.
    std::optional<Time> limit() const;
    // The worker was idle at last: a suspect was claimed, or none was left.
    void claimed(bool any, Time now);
    // The suspect has ended, or the hold took too long.
    void end(Time now);

private:
    static constexpr std::chrono::milliseconds first_hold{30'000};

    std::chrono::milliseconds patience_;
    std::chrono::milliseconds longest_ = first_hold;  // of the next one, until its suspect starts
    Time next_look_{};
    Time next_hold_{};
    Time worked_at_{};
    std::optional<Time> waits_since_;
    std::optional<Time> held_since_;
    bool runs_ = false;
};

}  // namespace worker

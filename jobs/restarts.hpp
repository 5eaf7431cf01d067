#pragma once

// When a program that does not come up may be started again. Pure.

#include <algorithm>
#include <chrono>

namespace jobs {

// Thread: one at a time.
class Restarts {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::milliseconds first{100};
    static constexpr std::chrono::milliseconds longest{10'000};

    // Not before this; in the past: at once.
    Time next() const { return next_; }
    // A start that came to nothing: the pause doubles.
    void failed(Time now) {
        next_ = now + pause_;
        pause_ = std::min(2 * pause_, longest);
    }
    void succeeded() { pause_ = first; }

private:
    Time next_{};
    std::chrono::milliseconds pause_ = first;
};

}  // namespace jobs

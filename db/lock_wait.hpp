#pragma once

// How a migration waits for locks: in short tries, so that nobody waits long behind it.

#include "db/error.hpp"
#include "db/migrations.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>

namespace db {

// A step's wait for locks, over all its tries.
class LockWait {
public:
    explicit LockWait(const LockPatience& patience) : patience_(patience) {}

    // Whether this is the step's first try.
    bool begins(const Migration& migration) {
        if (step_ == &migration) return false;
        step_ = &migration;
        until_ = Clock::now() + patience_.longest;
        pause_ = first_pause;
        return true;
    }

    // Waits before another try, unless it is too late for one, or the failure has other reasons: then it throws.
    boost::asio::awaitable<void> after(Error failure);

private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds first_pause{500};
    static constexpr std::chrono::milliseconds longest_pause{5'000};

    const LockPatience& patience_;
    const Migration* step_ = nullptr;
    Clock::time_point until_{};
    std::chrono::milliseconds pause_ = first_pause;
};

}  // namespace db

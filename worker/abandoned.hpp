#pragma once

// Claims whose answer was lost on the wire: they may have committed, or may yet, when a server process that nobody
// listens to any more gets the lock it waits for. So each is handed back again and again until it cannot come any more.
// Pure.

#include "queue/ids.hpp"

#include <chrono>
#include <optional>
#include <vector>

namespace worker {

class Abandoned {
public:
    using Time = std::chrono::steady_clock::time_point;

    // `patience`: how long the server may still work on a statement that lost its client.
    explicit Abandoned(std::chrono::milliseconds patience) : patience_(patience) {}

    void add(queue::ClaimNumber claim, Time now) {
        claims_.push_back({claim, now + patience_});
        next_ = now;
        tried_ = false;
    }
    // When the next attempt is due; nothing when there is none to make.
    std::optional<Time> due() const {
        if (claims_.empty()) return std::nullopt;
        return next_;
    }
    std::vector<queue::ClaimNumber> claims() const {
        std::vector<queue::ClaimNumber> claims;
        for (const Claim& claim : claims_) claims.push_back(claim.number);
        return claims;
    }
    // They were handed back at `now`: those whose time is over are forgotten.
    void released(Time now) {
        std::erase_if(claims_, [now](const Claim& claim) { return claim.until <= now; });
        next_ = now + std::chrono::seconds(1);
        tried_ = true;
    }
    // A stopping worker waits for one attempt, not for the patience: who retires leaves the rest to the rescue.
    bool is_pending() const { return !claims_.empty() && !tried_; }
    void clear() { claims_.clear(); }

private:
    struct Claim {
        queue::ClaimNumber number;
        Time until;
    };
    std::vector<Claim> claims_;
    std::chrono::milliseconds patience_;
    Time next_{};
    bool tried_ = false;
};

}  // namespace worker

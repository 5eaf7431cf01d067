#pragma once

// Claims whose answer was lost on the wire: they may have committed, or may yet, when a server process that nobody
// listens to any more gets the lock it waits for. So each is handed back again and again until it cannot come any more:
// every second at first, more and more seldom where the server may take long. Pure.

#include "db/settings.hpp"
#include "queue/ids.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

namespace worker {

class Abandoned {
public:
    using Time = std::chrono::steady_clock::time_point;

    // How long the server may still work on a statement that lost its client: where it has no limit of its own, as long
    // as a call may take.
    static std::chrono::milliseconds patience(const db::ConnectionSettings& settings) {
        if (settings.statement_timeout.count() == 0) return settings.longest_call;
        return 2 * (settings.statement_timeout + settings.grace);
    }

    explicit Abandoned(std::chrono::milliseconds patience) : patience_(patience) {}

    void add(queue::ClaimNumber claim, Time now) {
        claims_.push_back({claim, now + patience_});
        last_added_ = now;
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
        next_ = now +
                std::clamp<Time::duration>((now - last_added_) / 60, std::chrono::seconds(1), std::chrono::minutes(1));
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
    Time last_added_{};
    Time next_{};
    bool tried_ = false;
};

}  // namespace worker

#include "worker/suspect_turn.hpp"

#include <algorithm>

namespace worker {

namespace {
constexpr int others = 4;  // times what a hold took, until the next
constexpr std::chrono::hours longest_hold{24};
}  // namespace

void SuspectTurn::worked(Time now) {
    if (now - worked_at_ > patience_) next_look_ = std::max(next_look_, now + patience_);
    worked_at_ = now;
}

std::optional<SuspectTurn::Time> SuspectTurn::next_look() const {
    if (holds()) return std::nullopt;
    return next_look_;
}

void SuspectTurn::looked(bool waits, Time now) {
    next_look_ = now + patience_;
    if (!waits) {
        waits_since_.reset();
        longest_ = first_hold;
        return;
    }
    next_look_ = std::max(next_look_, next_hold_);
    if (!waits_since_) waits_since_ = now;
    if (now - *waits_since_ >= patience_ && now >= next_hold_) held_since_ = now;
}

std::optional<SuspectTurn::Time> SuspectTurn::limit() const {
    if (!held_since_ || runs_) return std::nullopt;
    return *held_since_ + longest_;
}

void SuspectTurn::claimed(bool any, Time now) {
    if (!held_since_) return;
    runs_ = any;
    if (!any) end(now);
    longest_ = first_hold;
}

void SuspectTurn::end(Time now) {
    if (!held_since_) return;
    next_hold_ = next_look_ = now + others * (now - *held_since_);
    if (!runs_) longest_ = std::min<std::chrono::milliseconds>(2 * longest_, longest_hold);
    held_since_.reset();
    runs_ = false;
}

}  // namespace worker

// Connections of age: when they are replaced, and how without anybody waiting for it.
#include "db/pool_state.hpp"

#include <algorithm>

namespace db {

namespace {
constexpr std::chrono::seconds replacement_pause{1};  // after one that failed or could not begin
}

void PoolState::plan_age(Place& place, Time now) {
    // Up to a fifth early, so that connections opened together are not replaced together; a twentieth is left for the
    // replacement to be opened before the old one may not be lent any more.
    jitter_ = jitter_ * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto recycle = std::chrono::duration_cast<std::chrono::milliseconds>(settings_.pool_recycle);
    const auto jitter = static_cast<int>(jitter_ >> 57);  // 0 .. 127
    place.expires_at = now + recycle;
    place.replace_at = place.expires_at - recycle / 20 - recycle * jitter / 1'000;
}

// The replacement is open: the one it replaces goes, now if it is free, else when it comes back.
void PoolState::retire_replaced(Slot fresh, Actions& actions) {
    if (!replacement_ || replacement_->fresh != fresh) return;
    const std::optional<Slot> old = replacement_->old;
    replacement_.reset();
    if (!old) return;
    places_[*old].replaced = true;
    ++replaced_;
    if (std::erase(free_, *old) > 0) close(*old, CloseReason::recycled, actions);
}

void PoolState::fail_replacement(Time now) {
    replacement_.reset();
    no_upkeep_before_ = now + replacement_pause;
}

std::optional<PoolState::Slot> PoolState::oldest_free() const {
    const auto oldest = std::ranges::min_element(free_, {}, [this](Slot slot) { return places_[slot].replace_at; });
    return oldest == free_.end() ? std::nullopt : std::optional(*oldest);
}

PoolState::Time PoolState::next_upkeep(Time now) const {
    Time next = Time::max();
    if (settings_.pool_recycle.count() == 0 || shut_down_) return next;
    for (const Place& place : places_) {
        if (place.use == Use::empty || place.use == Use::opening || place.replaced) continue;
        if (place.replace_at > now) {
            next = std::min(next, place.replace_at);
        } else if (place.use == Use::free && !replacement_) {  // any other is looked at when it comes back
            next = std::min(next, std::max(now + replacement_pause, no_upkeep_before_));
        }
    }
    return next;
}

void PoolState::upkeep(Time now, Actions& actions) {
    std::optional<Slot> old = oldest_free();
    if (!old || now < places_[*old].replace_at || settings_.pool_recycle.count() == 0) return;
    if (replacement_ || now < no_upkeep_before_ || !line_.empty() || opening_ >= settings_.connecting_limit) return;
    if (empty_.empty()) {  // every place is taken: its own is the only one
        std::erase(free_, *old);
        close(*old, CloseReason::recycled, actions);
        old.reset();
    }
    replacement_ = Replacement{empty_.back(), old};
    start_open(actions);
}

}  // namespace db

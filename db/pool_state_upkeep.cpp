// What happens by the clock: connections of age are replaced without anybody waiting for it, and connects that failed
// are tried again.
#include "db/pool_state.hpp"

#include <algorithm>

namespace db {

namespace {
constexpr std::chrono::seconds replacement_pause{1};  // when one could not begin
constexpr std::chrono::milliseconds first_back_off{100};
constexpr std::chrono::milliseconds longest_back_off{2'000};
}  // namespace

std::uint64_t PoolState::random() {
    random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return random_ >> 57;  // 0 .. 127
}

// While connects fail, one is tried at a time.
bool PoolState::may_connect(Time now) const {
    return failures_ == 0 ? opening_ < settings_.connecting_limit : opening_ == 0 && now >= next_connect_;
}

void PoolState::back_off(Time now) {
    if (now < next_connect_) return;  // begun before the one that failed first
    constexpr int most_doublings = 8;
    auto pause = std::min(longest_back_off, first_back_off * (1 << std::min(failures_, most_doublings)));
    pause -= pause * static_cast<int>(random()) / 256;  // by up to a half: the fleet must not come back at once
    next_connect_ = now + pause;
    ++failures_;
}

void PoolState::plan_age(Place& place, Time now) {
    // Up to a fifth early, so that connections opened together are not replaced together; a twentieth is left for the
    // replacement to be opened before the old one may not be lent any more.
    const auto recycle = std::chrono::duration_cast<std::chrono::milliseconds>(settings_.pool_recycle);
    place.expires_at = now + recycle;
    place.replace_at = place.expires_at - recycle / 20 - recycle * static_cast<int>(random()) / 1'000;
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

std::optional<PoolState::Slot> PoolState::oldest_free() const {
    const auto oldest = std::ranges::min_element(free_, {}, [this](Slot slot) { return places_[slot].replace_at; });
    return oldest == free_.end() ? std::nullopt : std::optional(*oldest);
}

PoolState::Time PoolState::next_upkeep(Time now) const {
    if (shut_down_) return Time::max();
    Time next = next_connect_ > now ? next_connect_ : Time::max();
    if (settings_.pool_recycle.count() == 0) return next;
    for (const Place& place : places_) {
        const bool has_age = place.use == Use::free || place.use == Use::testing || place.use == Use::lent;
        if (!has_age || place.replaced) continue;
        if (place.replace_at > now) {
            next = std::min(next, place.replace_at);
        } else if (place.use == Use::free && !replacement_) {  // any other is looked at when it comes back
            next = std::min(next, now + replacement_pause);
        }
    }
    return next;
}

void PoolState::upkeep(Time now, Actions& actions) {
    serve_waiters(now, actions);
    std::optional<Slot> old = oldest_free();
    if (!old || now < places_[*old].replace_at || settings_.pool_recycle.count() == 0) return;
    if (replacement_ || !line_.empty() || !may_connect(now)) return;
    if (empty_.empty()) {  // every place is taken: its own is the only one
        std::erase(free_, *old);
        close(*old, CloseReason::recycled, actions);
        old.reset();
    }
    replacement_ = Replacement{empty_.back(), old};
    start_open(actions);
}

}  // namespace db

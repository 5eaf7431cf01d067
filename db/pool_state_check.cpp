// What must hold after every event: for tests.
#include "db/pool_state.hpp"

#include <algorithm>
#include <stdexcept>

namespace db {

void PoolState::check_invariants() const {
    const auto rule = [](bool holds, const char* text) {
        if (!holds) throw std::logic_error(text);
    };
    const auto count = [&](auto is) { return static_cast<int>(std::ranges::count_if(places_, is)); };
    const auto used = [&](Use use) { return count([use](const Place& place) { return place.use == use; }); };
    const int waiting = static_cast<int>(line_.size());
    rule(used(Use::free) == static_cast<int>(free_.size()), "free slots are in the free list");
    rule(used(Use::empty) == static_cast<int>(empty_.size()), "empty slots are in the empty list");
    rule(used(Use::opening) == opening_, "opening is counted");
    rule(used(Use::testing) == testing_, "testing is counted");
    rule(used(Use::lent) == lent_, "lent is counted");
    rule(used(Use::leaving) == leaving_, "leaving is counted");
    rule(counters_.waits.count() == counters_.checkouts, "every checkout's wait is counted");
    rule(
        counters_.holds.count() + static_cast<std::uint64_t>(lent_) == counters_.checkouts,
        "how long a session was lent is counted when it comes back"
    );
    rule(count(&Place::replaced) == replaced_, "replaced is counted");
    rule(open_ == static_cast<int>(places_.size() - empty_.size()), "open is counted");
    rule(open_ <= settings_.pool_size + settings_.max_overflow, "never more connections than size and overflow");
    rule(opening_ <= settings_.connecting_limit, "never more connects at once than the limit");
    rule(static_cast<int>(free_.size()) <= settings_.pool_size, "overflow connections are closed on return");
    rule(!shut_down_ || (line_.empty() && free_.empty()), "a pool that is shut down keeps nothing");
    rule(free_.empty() || opening_ + testing_ >= waiting, "nobody waits for nothing while a connection is free");
    rule(
        opening_ + testing_ >= waiting || empty_.empty() || opening_ == settings_.connecting_limit || failures_ > 0,
        "a connection is on its way to each waiter, unless the pool is full, at its limit of connects, or these fail"
    );
    for (const Slot slot : free_) {
        rule(places_[slot].opened_at >= valid_from_, "no free connection is older than a loss");
        rule(!places_[slot].replaced, "no free connection has been replaced");
    }
    for (const Place& place : places_) {
        rule(!place.replaced || place.use != Use::leaving, "what leaves anyway has not been replaced");
    }
    if (!replacement_) return;
    rule(places_[replacement_->fresh].use == Use::opening, "a replacement is being opened");
    rule(!replacement_->old || places_[*replacement_->old].use != Use::empty, "what is to be replaced is open");
}

}  // namespace db

#include "db/pool_state.hpp"

#include <algorithm>
#include <stdexcept>

namespace db {

using Kind = PoolState::Action::Kind;

PoolState::PoolState(const PoolSettings& settings, std::uint64_t seed) : settings_(settings), random_(seed) {
    const auto places = static_cast<std::size_t>(settings.pool_size) + static_cast<std::size_t>(settings.max_overflow);
    places_.resize(places);
    free_.reserve(places);
    empty_.reserve(places);
    for (std::size_t slot = places; slot > 0; --slot) empty_.push_back(static_cast<Slot>(slot - 1));
}

bool PoolState::is_expired(const Place& place, Time now) const {
    return settings_.pool_recycle.count() > 0 && now >= place.expires_at;
}

bool PoolState::needs_test(const Place& place, Time now) const {
    return settings_.pool_pre_ping && now - place.used_at > settings_.pre_ping_after;
}

int PoolState::extra() const {
    return replaced_ + (replacement_ && replacement_->old ? 1 : 0);
}

std::optional<PoolState::Slot> PoolState::take(Time now) {
    if (shut_down_ || free_.empty() || !line_.empty()) return std::nullopt;
    const Slot slot = free_.back();
    Place& place = places_[slot];
    if (is_expired(place, now) || needs_test(place, now)) return std::nullopt;
    free_.pop_back();
    place.use = Use::lent;
    ++lent_;
    ++counters_.checkouts;
    return slot;
}

PoolState::Ticket PoolState::wait(Time now, Actions& actions) {
    const Ticket ticket = ++last_ticket_;
    if (shut_down_) {
        actions.push_back({Kind::fail, 0, ticket});
        return ticket;
    }
    line_.push_back(ticket);
    serve_waiters(now, actions);
    return ticket;
}

bool PoolState::leave(Ticket ticket, bool timed_out) {
    const auto found = std::ranges::lower_bound(line_, ticket);  // tickets only grow
    if (found == line_.end() || *found != ticket) return false;
    line_.erase(found);
    if (timed_out) ++counters_.timeouts;
    return true;
}

void PoolState::available(Slot slot, Time now, Actions& actions) {
    Place& place = places_[slot];
    if (shut_down_) {
        close(slot, CloseReason::shutdown, actions);
    } else if (is_expired(place, now)) {
        close(slot, CloseReason::recycled, actions);
        serve_waiters(now, actions);
    } else if (!line_.empty()) {
        place.use = Use::lent;
        ++lent_;
        ++counters_.checkouts;
        actions.push_back({Kind::lend, slot, line_.front()});
        line_.pop_front();
    } else if (place.replaced) {
        close(slot, CloseReason::recycled, actions);
    } else if (open_ - extra() > settings_.pool_size) {
        close(slot, CloseReason::overflow, actions);
    } else {
        place.use = Use::free;
        free_.push_back(slot);
        if (now >= place.replace_at) upkeep(now, actions);
    }
}

void PoolState::close(Slot slot, CloseReason reason, Actions& actions) {
    Place& place = places_[slot];
    place.use = Use::empty;
    if (place.replaced) --replaced_;
    place.replaced = false;
    if (replacement_ && replacement_->old == slot) replacement_->old.reset();
    empty_.push_back(slot);
    --open_;
    ++counters_.closed[static_cast<std::size_t>(reason)];
    if (reason == CloseReason::invalid) ++counters_.invalid;
    actions.push_back({Kind::close, slot, 0, reason});
}

// One connection was lost: so are all that were opened before. Those on loan are closed when they come back.
void PoolState::lose(Slot slot, Time now, Actions& actions) {
    valid_from_ = now;
    close(slot, CloseReason::invalid, actions);
    std::erase_if(free_, [&](Slot free) {
        if (places_[free].opened_at >= valid_from_) return false;
        close(free, CloseReason::invalid, actions);
        return true;
    });
    serve_waiters(now, actions);
}

void PoolState::start_open(Actions& actions) {
    const Slot slot = empty_.back();
    empty_.pop_back();
    places_[slot].use = Use::opening;
    ++open_;
    ++opening_;
    actions.push_back({Kind::open, slot});
}

void PoolState::start_test(Slot slot, Kind kind, Actions& actions) {
    places_[slot].use = Use::testing;
    ++testing_;
    actions.push_back({kind, slot});
}

void PoolState::serve_waiters(Time now, Actions& actions) {
    // Those on their way or under test will serve somebody: more are needed only for those left over.
    const auto unserved = [this] { return opening_ + testing_ < static_cast<int>(line_.size()); };
    while (unserved() && !free_.empty()) {  // free, but too old or idle for too long to be taken at once
        const Slot slot = free_.back();
        free_.pop_back();
        if (is_expired(places_[slot], now)) {
            close(slot, CloseReason::recycled, actions);
        } else if (settings_.pool_pre_ping) {  // idle for too long, or its neighbour is under suspicion
            start_test(slot, Kind::test, actions);
        } else {
            available(slot, now, actions);
        }
    }
    while (unserved() && !empty_.empty() && may_connect(now)) start_open(actions);
}

void PoolState::returned(Slot slot, Condition condition, Time now, Actions& actions) {
    Place& place = places_[slot];
    --lent_;
    place.used_at = now;
    if (condition == Condition::lost) {
        lose(slot, now, actions);
    } else if (condition == Condition::spent || place.opened_at < valid_from_) {
        close(slot, condition == Condition::spent ? CloseReason::dirty : CloseReason::invalid, actions);
        serve_waiters(now, actions);
    } else if (condition == Condition::clean) {
        available(slot, now, actions);
    } else {
        start_test(slot, condition == Condition::dirty ? Kind::reset : Kind::test, actions);
    }
}

void PoolState::found_suspicious(Slot slot, Actions& actions) {
    --lent_;
    --counters_.checkouts;
    start_test(slot, Kind::test, actions);
}

void PoolState::opened(Slot slot, Time now, Actions& actions) {
    --opening_;
    failures_ = 0;
    next_connect_ = Time::min();
    ++counters_.opened;
    Place& place = places_[slot];
    place.opened_at = now;
    place.used_at = now;
    plan_age(place, now);
    retire_replaced(slot, actions);
    available(slot, now, actions);
    serve_waiters(now, actions);  // a connect ended: the limit may let another begin
    upkeep(now, actions);
}

void PoolState::open_failed(Slot slot, Time now, Actions& actions) {
    --opening_;
    --open_;
    places_[slot].use = Use::empty;
    empty_.push_back(slot);
    back_off(now);
    bool first = true;
    if (replacement_ && replacement_->fresh == slot) {
        replacement_.reset();
        first = false;
    }
    // Whoever can hope for nothing else learns the reason at once; at least the one for whom this was opened.
    const int hopes = opening_ + testing_;
    while (!line_.empty() && (first || (lent_ == 0 && static_cast<int>(line_.size()) > hopes))) {
        actions.push_back({Kind::fail, 0, line_.front()});
        line_.pop_front();
        first = false;
    }
    serve_waiters(now, actions);
}

void PoolState::tested(Slot slot, Condition condition, Time now, Actions& actions) {
    --testing_;
    Place& place = places_[slot];
    if (condition == Condition::lost) {
        lose(slot, now, actions);
    } else if (condition != Condition::clean) {
        close(slot, CloseReason::dirty, actions);
        serve_waiters(now, actions);
    } else {
        place.used_at = now;
        place.opened_at = std::max(place.opened_at, valid_from_);  // it answered: it survived whatever was lost
        available(slot, now, actions);
    }
}

void PoolState::shut_down(Actions& actions) {
    shut_down_ = true;
    for (const Ticket ticket : line_) actions.push_back({Kind::fail, 0, ticket});
    line_.clear();
    while (!free_.empty()) {
        const Slot slot = free_.back();
        free_.pop_back();
        close(slot, CloseReason::shutdown, actions);
    }
}

PoolStats PoolState::stats() const {
    PoolStats stats = counters_;
    stats.size = settings_.pool_size;
    stats.checked_in = static_cast<int>(free_.size());
    stats.checked_out = open_ - stats.checked_in;
    stats.overflow = std::max(0, open_ - settings_.pool_size);
    stats.waiting = static_cast<int>(line_.size());
    return stats;
}

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
    if (!replacement_) return;
    rule(places_[replacement_->fresh].use == Use::opening, "a replacement is being opened");
    rule(!replacement_->old || places_[*replacement_->old].use != Use::empty, "what is to be replaced is open");
}

}  // namespace db

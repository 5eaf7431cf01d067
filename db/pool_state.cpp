#include "db/pool_state.hpp"

#include <algorithm>

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
    const Place& place = places_[slot];
    if (is_expired(place, now) || needs_test(place, now)) return std::nullopt;
    free_.pop_back();
    lend(slot, now, now);
    return slot;
}

void PoolState::lend(Slot slot, Time since, Time now) {
    Place& place = places_[slot];
    place.use = Use::lent;
    place.lent_at = now;
    ++lent_;
    ++counters_.checkouts;
    counters_.waits.add(now - since);
}

std::optional<PoolState::Time> PoolState::lent_since(Slot slot) const {
    if (places_[slot].use != Use::lent) return std::nullopt;
    return places_[slot].lent_at;
}

PoolState::Ticket PoolState::first_waiter() {
    const Ticket ticket = line_.front().ticket;
    line_.pop_front();
    return ticket;
}

PoolState::Ticket PoolState::wait(Time now, Actions& actions) {
    const Ticket ticket = ++last_ticket_;
    if (shut_down_) {
        actions.push_back({Kind::fail, 0, ticket});
        return ticket;
    }
    line_.push_back({ticket, now});
    serve_waiters(now, actions);
    return ticket;
}

bool PoolState::leave(Ticket ticket, bool timed_out) {
    const auto found = std::ranges::lower_bound(line_, ticket, {}, &Waiting::ticket);  // tickets only grow
    if (found == line_.end() || found->ticket != ticket) return false;
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
        lend(slot, line_.front().since, now);
        actions.push_back({Kind::lend, slot, first_waiter()});
    } else if (place.replaced) {
        close(slot, CloseReason::recycled, actions);
    } else if (open_ - leaving_ - extra() > settings_.pool_size) {
        close(slot, CloseReason::overflow, actions);
    } else {
        place.use = Use::free;
        free_.push_back(slot);
        if (now >= place.replace_at) upkeep(now, actions);
    }
}

// What goes anyway is not counted as one that another takes the place of.
void PoolState::forget_replacement(Slot slot) {
    if (places_[slot].replaced) --replaced_;
    places_[slot].replaced = false;
    if (replacement_ && replacement_->old == slot) replacement_->old.reset();
}

void PoolState::close(Slot slot, CloseReason reason, Actions& actions) {
    Place& place = places_[slot];
    place.use = Use::empty;
    forget_replacement(slot);
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

void PoolState::start_leaving(Slot slot, Actions& actions) {
    places_[slot].use = Use::leaving;
    forget_replacement(slot);
    ++leaving_;
    actions.push_back({Kind::leave, slot});
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

void PoolState::returned(Slot slot, Condition condition, Time now, Actions& actions, std::optional<Time> answered) {
    Place& place = places_[slot];
    --lent_;
    place.used_at = answered.value_or(now);
    counters_.holds.add(now - place.lent_at);
    if (condition == Condition::lost) {
        lose(slot, now, actions);
    } else if (condition == Condition::leaving) {
        start_leaving(slot, actions);
        serve_waiters(now, actions);
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
    counters_.waits.remove({});
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
    ++counters_.connect_failures;
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
        actions.push_back({Kind::fail, 0, first_waiter()});
        first = false;
    }
    serve_waiters(now, actions);
}

void PoolState::tested(Slot slot, Condition condition, Time now, Actions& actions) {
    --testing_;
    Place& place = places_[slot];
    if (condition == Condition::lost) {
        lose(slot, now, actions);
    } else if (condition == Condition::leaving) {
        start_leaving(slot, actions);
        serve_waiters(now, actions);
    } else if (condition != Condition::clean) {
        close(slot, CloseReason::dirty, actions);
        serve_waiters(now, actions);
    } else {
        place.used_at = now;
        place.opened_at = std::max(place.opened_at, valid_from_);  // it answered: it survived whatever was lost
        available(slot, now, actions);
    }
}

void PoolState::left(Slot slot, Time now, Actions& actions) {
    --leaving_;
    close(slot, CloseReason::dirty, actions);
    serve_waiters(now, actions);
}

void PoolState::shut_down(Actions& actions) {
    shut_down_ = true;
    while (!line_.empty()) actions.push_back({Kind::fail, 0, first_waiter()});
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

}  // namespace db

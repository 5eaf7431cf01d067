#include "db/pool_state.hpp"

#include <algorithm>
#include <stdexcept>

namespace db {

using Kind = PoolState::Action::Kind;

PoolState::PoolState(const PoolSettings& settings) : settings_(settings) {
    const auto places = static_cast<std::size_t>(settings.pool_size + settings.max_overflow);
    places_.resize(places);
    free_.reserve(places);
    empty_.reserve(places);
    for (std::size_t slot = places; slot > 0; --slot) empty_.push_back(static_cast<Slot>(slot - 1));
}

bool PoolState::is_expired(const Place& place, Time now) const {
    return settings_.pool_recycle.count() > 0 && now >= place.expires_at;
}

bool PoolState::needs_test(const Place& place, Time now) const {
    return place.opened_at < valid_from_ || (settings_.pool_pre_ping && now - place.used_at > settings_.pre_ping_after);
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
    line_.push_back(ticket);
    if (shut_down_) {
        line_.pop_back();
        actions.push_back({Kind::fail, 0, ticket});
        return ticket;
    }
    serve_waiters(now, actions);
    return ticket;
}

bool PoolState::leave(Ticket ticket, bool timed_out) {
    const auto found = std::find(line_.begin(), line_.end(), ticket);
    if (found == line_.end()) return false;
    line_.erase(found);
    if (timed_out) ++counters_.timeouts;
    return true;
}

void PoolState::available(Slot slot, Time now, Actions& actions) {
    Place& place = places_[slot];
    if (shut_down_) {
        close(slot, CloseReason::shutdown, actions);
        return;
    }
    if (is_expired(place, now)) {
        close(slot, CloseReason::recycled, actions);
        serve_waiters(now, actions);
        return;
    }
    if (!line_.empty()) {
        place.use = Use::lent;
        ++lent_;
        ++counters_.checkouts;
        actions.push_back({Kind::lend, slot, line_.front()});
        line_.pop_front();
        return;
    }
    if (open_ > settings_.pool_size) {
        close(slot, CloseReason::overflow, actions);
        return;
    }
    place.use = Use::free;
    free_.push_back(slot);
}

void PoolState::close(Slot slot, CloseReason reason, Actions& actions) {
    places_[slot].use = Use::empty;
    empty_.push_back(slot);
    --open_;
    ++counters_.closed[static_cast<std::size_t>(reason)];
    actions.push_back({Kind::close, slot, 0, reason});
}

void PoolState::serve_waiters(Time now, Actions& actions) {
    // Connections on their way or under test will serve somebody: more are needed only for those left over.
    const auto unserved = [this] { return opening_ + testing_ < static_cast<int>(line_.size()); };
    while (unserved() && !free_.empty()) {  // free, but too old or idle for too long to be taken at once
        const Slot slot = free_.back();
        free_.pop_back();
        if (is_expired(places_[slot], now)) {
            close(slot, CloseReason::recycled, actions);
        } else if (needs_test(places_[slot], now)) {
            places_[slot].use = Use::testing;
            ++testing_;
            actions.push_back({Kind::test, slot});
        } else {
            available(slot, now, actions);
        }
    }
    while (unserved() && !empty_.empty() && opening_ < settings_.connecting_limit) {
        const Slot slot = empty_.back();
        empty_.pop_back();
        places_[slot].use = Use::opening;
        ++open_;
        ++opening_;
        actions.push_back({Kind::open, slot});
    }
}

void PoolState::returned(Slot slot, Condition condition, Time now, Actions& actions) {
    Place& place = places_[slot];
    --lent_;
    place.used_at = now;
    if (condition == Condition::broken) {
        ++counters_.invalid;
        valid_from_ = now;
        close(slot, CloseReason::invalid, actions);
        serve_waiters(now, actions);
        return;
    }
    if (condition == Condition::dirty) {
        place.use = Use::testing;
        ++testing_;
        actions.push_back({Kind::reset, slot});
        return;
    }
    available(slot, now, actions);
}

void PoolState::found_suspicious(Slot slot, Actions& actions) {
    --lent_;
    --counters_.checkouts;
    places_[slot].use = Use::testing;
    ++testing_;
    actions.push_back({Kind::test, slot});
}

void PoolState::opened(Slot slot, Time now, Actions& actions) {
    --opening_;
    ++counters_.opened;
    Place& place = places_[slot];
    place.opened_at = now;
    place.used_at = now;
    // Up to a tenth earlier, so that connections opened together are not replaced together.
    jitter_ = jitter_ * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto recycle = std::chrono::duration_cast<std::chrono::milliseconds>(settings_.pool_recycle);
    place.expires_at = now + recycle - recycle / 10 * static_cast<int>(jitter_ >> 57) / 128;
    available(slot, now, actions);
    serve_waiters(now, actions);  // a connect ended: the limit may let another begin
}

void PoolState::open_failed(Slot slot, Time now, Actions& actions) {
    --opening_;
    --open_;
    places_[slot].use = Use::empty;
    empty_.push_back(slot);
    if (!line_.empty()) {
        actions.push_back({Kind::fail, 0, line_.front()});
        line_.pop_front();
    }
    serve_waiters(now, actions);
}

void PoolState::tested(Slot slot, bool alive, Time now, Actions& actions) {
    --testing_;
    if (!alive) {
        ++counters_.invalid;
        valid_from_ = now;
        close(slot, CloseReason::invalid, actions);
        serve_waiters(now, actions);
        return;
    }
    places_[slot].used_at = now;
    // It answered: it is as good as one opened now.
    places_[slot].opened_at = std::max(places_[slot].opened_at, valid_from_);
    available(slot, now, actions);
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
    const auto count = [&](Use use) {
        return static_cast<int>(std::count_if(places_.begin(), places_.end(), [use](const Place& place) {
            return place.use == use;
        }));
    };
    rule(count(Use::free) == static_cast<int>(free_.size()), "free slots are in the free list");
    rule(count(Use::empty) == static_cast<int>(empty_.size()), "empty slots are in the empty list");
    rule(count(Use::opening) == opening_, "opening is counted");
    rule(count(Use::testing) == testing_, "testing is counted");
    rule(count(Use::lent) == lent_, "lent is counted");
    rule(open_ == static_cast<int>(places_.size() - empty_.size()), "open is counted");
    rule(open_ <= settings_.pool_size + settings_.max_overflow, "never more connections than size and overflow");
    rule(opening_ <= settings_.connecting_limit, "never more connects at once than the limit");
    rule(
        free_.empty() || opening_ + testing_ >= static_cast<int>(line_.size()),
        "nobody waits for nothing while a connection is free"
    );
    rule(static_cast<int>(free_.size()) <= settings_.pool_size, "overflow connections are closed on return");
    rule(!shut_down_ || (line_.empty() && free_.empty()), "a pool that is shut down keeps nothing");
    rule(
        line_.empty() || opening_ + testing_ >= static_cast<int>(line_.size()) || empty_.empty() ||
            opening_ == settings_.connecting_limit,
        "a connection is on its way to each waiter, unless the pool is full or the connects are at their limit"
    );
}

}  // namespace db

// What the pool does when time has passed: waiters that waited too long, connections of age.

#include "db/pool_core.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace db {

namespace {

std::string seconds(std::chrono::nanoseconds duration) {
    using namespace std::chrono;
    if (duration < 1s) return std::to_string(duration_cast<milliseconds>(duration).count()) + " ms";
    return std::to_string(duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

// worker/engine.cpp:45
std::string describe(const std::source_location& where) {
    std::string_view path = where.file_name();
    const std::size_t file = path.rfind('/');
    const std::size_t folder = file == 0 || file == std::string_view::npos ? file : path.rfind('/', file - 1);
    if (folder != std::string_view::npos) path.remove_prefix(folder + 1);
    return std::string(path) + ":" + std::to_string(where.line());
}

std::string text_of(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        return error.what();
    }
}

}  // namespace

std::optional<PoolCore::Waiter> PoolCore::remove_waiter(PoolState::Ticket ticket) {
    const auto found = std::ranges::find(waiters_, ticket, &Waiter::ticket);  // nearly always the first
    if (found == waiters_.end()) return std::nullopt;                         // served or failed meanwhile
    std::optional<Waiter> waiter = std::move(*found);
    waiters_.erase(found);
    return waiter;
}

// The state machine serves and fails only who is in line.
PoolCore::Waiter PoolCore::take_waiter(PoolState::Ticket ticket) {
    std::optional<Waiter> waiter = remove_waiter(ticket);
    if (!waiter) std::terminate();
    return std::move(*waiter);
}

// One timer for all waiters, whose deadlines come in order: it runs until the front one's.
void PoolCore::start_wait_timer() {
    if (wait_timer_runs_ || waiters_.empty()) return;
    wait_timer_runs_ = true;
    wait_timer_.expires_at(waiters_.front().deadline);
    wait_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
        if (const auto core = weak.lock(); core && !error) core->expire_waiters();
    });
}

void PoolCore::expire_waiters() {
    std::vector<Caller> late;
    Lock lock(mutex_);
    wait_timer_runs_ = false;
    const auto now = Clock::now();
    const Error error = timeout_error(now);
    while (!waiters_.empty() && waiters_.front().deadline <= now) {
        state_.leave(waiters_.front().ticket, true);
        late.push_back(std::move(waiters_.front().caller));
        waiters_.pop_front();
    }
    start_wait_timer();
    lock.unlock();
    for (Caller& caller : late) complete(std::move(caller), std::make_exception_ptr(error));
}

void PoolCore::cancel_waiter(PoolState::Ticket ticket) {
    Lock lock(mutex_);
    std::optional<Waiter> waiter = remove_waiter(ticket);
    if (!waiter) return;
    state_.leave(ticket, false);
    lock.unlock();
    complete(
        std::move(waiter->caller),
        std::make_exception_ptr(Error(ErrorKind::closed, "the wait for a database session was cancelled"))
    );
}

std::exception_ptr PoolCore::reason_to_fail() const {
    if (!state_.is_shut_down() && connect_error_) return connect_error_;
    return std::make_exception_ptr(Error(ErrorKind::closed, "the connection pool is closed"));
}

Error PoolCore::timeout_error(Clock::time_point now) const {
    const PoolStats stats = state_.stats();
    const std::source_location* holder = nullptr;
    auto oldest = Clock::time_point::max();
    for (std::size_t slot = 0; slot < holders_.size(); ++slot) {
        const auto since = state_.lent_since(static_cast<Slot>(slot));
        if (!since || *since >= oldest) continue;
        oldest = *since;
        holder = &holders_[slot];
    }
    std::string text = "no database session became free within " + seconds(settings_.pool_timeout) + ": pool_size " +
                       std::to_string(settings_.pool_size) + ", overflow " + std::to_string(stats.overflow) +
                       " of max_overflow " + std::to_string(settings_.max_overflow) + ", checked_out " +
                       std::to_string(stats.checked_out) + ", waiting " + std::to_string(stats.waiting);
    if (holder != nullptr) {
        text += "; the longest holder, " + describe(*holder) + ", has had its session for " + seconds(now - oldest);
    }
    if (connect_error_) text += "; the last attempt to connect failed: " + text_of(connect_error_);
    return Error(
        ErrorKind::pool_timeout,
        text + "; raise pool_size or max_overflow (DB_POOL_SIZE, DB_MAX_OVERFLOW), or find what holds sessions so long"
    );
}

void PoolCore::plan_upkeep(Clock::time_point now) {
    const auto next = state_.next_upkeep(now);
    if (next >= next_upkeep_) return;
    next_upkeep_ = next;
    upkeep_timer_.expires_at(next);
    upkeep_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
        if (const auto core = weak.lock(); core && !error) core->do_upkeep();
    });
}

void PoolCore::do_upkeep() {
    const auto now = Clock::now();
    PoolState::Actions actions;
    Lock lock(mutex_);
    next_upkeep_ = Clock::time_point::max();
    state_.upkeep(now, actions);
    plan_upkeep(now);
    perform(actions, lock);
}

}  // namespace db

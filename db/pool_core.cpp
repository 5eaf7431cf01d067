#include "db/pool_core.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <random>
#include <tuple>
#include <utility>

namespace asio = boost::asio;

namespace db {

namespace {

using Kind = PoolState::Action::Kind;
using Condition = PoolState::Condition;

constexpr std::chrono::milliseconds ping_limit{1'000};
constexpr std::chrono::milliseconds reset_limit{5'000};
constexpr std::chrono::microseconds brief_loan{500};  // its answer counts as a look at the socket
// Asked, not told: a request that ends when the pool and its executor are gone must find nobody.
constexpr std::chrono::milliseconds leave_look{10};
const Statement ping_statement{"ping", "select 1"};

Condition condition_of(const Connection& connection) {
    if (connection.is_lost()) return Condition::lost;
    if (connection.is_being_cancelled()) return Condition::leaving;
    if (!connection.is_usable()) return Condition::spent;
    return connection.in_transaction() ? Condition::dirty : Condition::clean;
}

}  // namespace

PoolCore::PoolCore(asio::any_io_executor executor, ConnectionSettings connection, PoolSettings pool, Hooks hooks)
    : executor_(std::move(executor)),
      queue_([this]() -> std::optional<ContextQueue> {
          const auto* const context = executor_.target<asio::io_context::executor_type>();
          if (context == nullptr) return std::nullopt;
          return asio::require(*context, asio::execution::blocking.never);
      }()),
      settings_(pool),
      connection_settings_(std::move(connection)),
      hooks_(std::make_shared<const Hooks>(std::move(hooks))),
      state_(pool, std::random_device{}()),
      connections_(static_cast<std::size_t>(pool.pool_size + pool.max_overflow)),
      holders_(connections_.size()),
      wait_timer_(executor_),
      upkeep_timer_(executor_),
      drain_timer_(executor_) {}

PoolStats PoolCore::stats() const {
    const std::lock_guard lock(mutex_);
    return state_.stats();
}

// One that has something to say while nobody asked was closed, or soon will be: it is tested before anybody gets it.
// The look is a system call.
bool PoolCore::may_be_dead(const Connection& connection) const {
    return settings_.pool_pre_ping && connection.has_unread_input();
}

// Under the mutex, so that nobody reads a checkout that is taken back.
std::optional<PoolCore::Slot> PoolCore::take_slot(
    Clock::time_point now, std::source_location where, PoolState::Actions& actions
) {
    const std::optional<Slot> slot = state_.take(now);
    if (!slot) return std::nullopt;
    if (may_be_dead(*connections_[*slot])) {
        state_.found_suspicious(*slot, actions);
        return std::nullopt;
    }
    holders_[*slot] = where;
    return slot;
}

// The fast path: no allocation, at most one system call.
std::optional<Session> PoolCore::take(Clock::time_point now, std::source_location where) {
    Lock lock(mutex_);
    PoolState::Actions actions;
    const std::optional<Slot> slot = take_slot(now, where, actions);
    if (!slot) {
        perform(actions, lock);
        return std::nullopt;
    }
    std::unique_ptr<Connection> connection = std::move(connections_[*slot]);
    lock.unlock();
    return Session(std::move(connection), shared_from_this(), *slot);
}

asio::awaitable<Session> PoolCore::checkout(std::source_location where) {
    const auto started = Clock::now();
    if (std::optional<Session> free = take(started, where)) co_return std::move(*free);
    const auto self = shared_from_this();
    std::optional<asio::any_io_executor> elsewhere = co_await asio::this_coro::executor;
    if (*elsewhere == executor_) elsewhere.reset();
    const auto initiate = [&](auto handler) { join_line({std::move(handler), std::move(elsewhere)}, started, where); };
    const std::tuple<std::exception_ptr, Connection*, Slot> answer = co_await asio::
        async_initiate<const asio::as_tuple_t<asio::deferred_t>, void(std::exception_ptr, Connection*, Slot)>(
            initiate, asio::as_tuple(asio::deferred)
        );
    if (std::get<0>(answer)) std::rethrow_exception(std::get<0>(answer));
    co_return Session(std::unique_ptr<Connection>(std::get<1>(answer)), self, std::get<2>(answer));
}

void PoolCore::join_line(Caller&& caller, Clock::time_point started, std::source_location where) {
    Lock lock(mutex_);
    PoolState::Actions actions;
    // One may have come back since the look: who stands in line would have it pinged first.
    if (const std::optional<Slot> slot = take_slot(Clock::now(), where, actions)) {
        std::unique_ptr<Connection> connection = std::move(connections_[*slot]);
        lock.unlock();
        complete(std::move(caller), nullptr, std::move(connection), *slot);
        return;
    }
    const PoolState::Ticket ticket = state_.wait(started, actions);
    if (auto cancellation = asio::get_associated_cancellation_slot(caller.handler); cancellation.is_connected()) {
        cancellation.assign([weak = weak_from_this(), ticket](asio::cancellation_type) {
            if (const auto core = weak.lock()) core->cancel_waiter(ticket);
        });
    }
    waiters_.push_back({ticket, std::move(caller), started + settings_.pool_timeout, where});
    start_wait_timer();
    perform(actions, lock);
}

// Never in place: who gives a session back must not run what another does with it.
void PoolCore::complete(Caller&& caller, std::exception_ptr error, std::unique_ptr<Connection> connection, Slot slot)
    const {
    auto resume = [handler = std::move(caller.handler),
                   error = std::move(error),
                   connection = std::move(connection),
                   slot]() mutable { std::move(handler)(std::move(error), connection.release(), slot); };
    if (caller.elsewhere) {
        asio::post(*caller.elsewhere, std::move(resume));
    } else if (queue_) {  // the usual case, and the cheapest
        queue_->execute(std::move(resume));
    } else {
        asio::post(executor_, std::move(resume));
    }
}

// Carries out the actions; unlocks.
void PoolCore::perform(PoolState::Actions& actions, Lock& lock) {
    struct Done {
        Caller caller;
        std::exception_ptr error;
        std::unique_ptr<Connection> connection;
        Slot slot;
    };
    boost::container::small_vector<Done, 2> done;
    std::vector<asio::awaitable<void>> work;
    std::vector<std::unique_ptr<Connection>> closing;  // after the mutex is released
    for (const PoolState::Action& action : actions) {
        std::unique_ptr<Connection>& connection = connections_[action.slot];
        switch (action.kind) {
            case Kind::lend: {
                Waiter waiter = take_waiter(action.ticket);
                holders_[action.slot] = waiter.where;
                done.push_back({std::move(waiter.caller), nullptr, std::move(connection), action.slot});
                break;
            }
            case Kind::fail:
                done.push_back({take_waiter(action.ticket).caller, reason_to_fail(), nullptr, 0});
                break;
            case Kind::open:
                work.push_back(open(shared_from_this(), action.slot));
                break;
            case Kind::test:
            case Kind::reset:
                work.push_back(test(shared_from_this(), std::move(connection), action.slot, action.kind == Kind::reset)
                );
                break;
            case Kind::leave:
                work.push_back(leave(shared_from_this(), std::move(connection), action.slot));
                break;
            case Kind::close:
                closing.push_back(std::move(connection));
                break;
        }
    }
    if (state_.is_shut_down() && state_.is_empty()) drain_timer_.cancel();
    lock.unlock();
    for (asio::awaitable<void>& one : work) asio::co_spawn(executor_, std::move(one), asio::detached);
    for (Done& one : done) complete(std::move(one.caller), std::move(one.error), std::move(one.connection), one.slot);
}

void PoolCore::give_back(std::unique_ptr<Connection> connection, Slot slot) {
    Condition condition = condition_of(*connection);
    const auto now = Clock::now();
    PoolState::Actions actions;
    Lock lock(mutex_);
    // A waiter gets it without another look: it may have died while its holder did something else. What answered in a
    // brief loan has lived since that began; when the answer was read says nothing, this process may have been asleep.
    const auto answered = connection->answered_at();
    const auto lent_at = state_.lent_since(slot);
    const bool has_lived = lent_at && answered >= *lent_at && now - *lent_at < brief_loan;
    const bool was_silent = settings_.pool_pre_ping && now - answered > settings_.pre_ping_after;
    if (condition == Condition::clean && !waiters_.empty() && !has_lived && (was_silent || may_be_dead(*connection))) {
        condition = Condition::suspect;
    }
    connections_[slot] = std::move(connection);
    state_.returned(slot, condition, now, actions, answered);
    perform(actions, lock);
}

asio::awaitable<void> PoolCore::open(std::shared_ptr<PoolCore>, Slot slot) {
    std::unique_ptr<Connection> connection;
    std::exception_ptr failure;
    try {
        connection = co_await Connection::open(executor_, connection_settings_, hooks_);
        if (hooks_->on_connect) hooks_->on_connect(nullptr);
    } catch (const Error& error) {
        failure = std::current_exception();
        if (hooks_->on_connect) hooks_->on_connect(&error);
    } catch (...) {
        failure = std::current_exception();
    }
    const auto now = Clock::now();
    PoolState::Actions actions;
    Lock lock(mutex_);
    connect_error_ = failure;
    if (connection) {
        connections_[slot] = std::move(connection);
        state_.opened(slot, now, actions);
    } else {
        state_.open_failed(slot, now, actions);
    }
    plan_upkeep(now);
    perform(actions, lock);
}

asio::awaitable<void> PoolCore::test(
    std::shared_ptr<PoolCore>, std::unique_ptr<Connection> connection, Slot slot, bool reset
) {
    std::optional<Condition> condition;
    try {
        if (reset) {
            co_await connection->rollback(reset_limit);
        } else {
            connection->send(ping_statement, {});
            co_await connection->exchange(ping_limit);
        }
    } catch (const Error& error) {
        // A server that does not answer a ping is gone; one that is slow to roll back may be busy.
        if (!reset && error.kind() == ErrorKind::deadline) condition = Condition::lost;
    } catch (const std::exception&) {
        condition = Condition::spent;
    }
    if (!condition) condition = condition_of(*connection);
    const auto now = Clock::now();
    PoolState::Actions actions;
    Lock lock(mutex_);
    connections_[slot] = std::move(connection);
    state_.tested(slot, *condition, now, actions);
    perform(actions, lock);
}

asio::awaitable<void> PoolCore::leave(std::shared_ptr<PoolCore>, std::unique_ptr<Connection> connection, Slot slot) {
    const auto counts = [&] {  // at the end it closes without us
        const std::lock_guard lock(mutex_);
        return connection->is_being_cancelled() && !state_.is_shut_down();
    };
    asio::steady_timer timer(executor_);
    while (counts()) {
        timer.expires_after(leave_look);
        co_await timer.async_wait(asio::use_awaitable);
    }
    PoolState::Actions actions;
    Lock lock(mutex_);
    connections_[slot] = std::move(connection);
    state_.left(slot, Clock::now(), actions);
    perform(actions, lock);
}

void PoolCore::shut_down() {
    PoolState::Actions actions;
    Lock lock(mutex_);
    if (!state_.is_shut_down()) state_.shut_down(actions);
    wait_timer_.cancel();
    upkeep_timer_.cancel();
    perform(actions, lock);
}

asio::awaitable<void> PoolCore::drain(Clock::time_point deadline) {
    shut_down();
    // Begun under the mutex, so that the last return cannot slip in between.
    const auto initiate = [this, deadline](auto handler) {
        const std::lock_guard lock(mutex_);
        drain_timer_.expires_at(state_.is_empty() ? Clock::time_point::min() : deadline);
        drain_timer_.async_wait(std::move(handler));
    };
    boost::system::error_code cancelled;
    auto token = asio::redirect_error(asio::use_awaitable, cancelled);
    co_await asio::async_initiate<decltype(token), void(boost::system::error_code)>(initiate, token);
}

}  // namespace db

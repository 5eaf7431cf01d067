#pragma once

// The shell around PoolState: the connections by slot, the waiters' handlers by ticket, one mutex over it all. What the
// state machine decides is carried out by perform(), after the mutex is released.

#include "db/connection.hpp"
#include "db/pool_state.hpp"
#include "db/session.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <utility>
#include <vector>

namespace db {

class PoolCore : public std::enable_shared_from_this<PoolCore> {
public:
    using Clock = std::chrono::steady_clock;
    using Slot = PoolState::Slot;

    PoolCore(boost::asio::any_io_executor executor, ConnectionSettings connection, PoolSettings pool, Hooks hooks);

    // See db/pool.hpp.
    boost::asio::awaitable<Session> checkout(std::source_location where);
    std::optional<Session> take(Clock::time_point now, std::source_location where);
    PoolStats stats() const;
    boost::asio::awaitable<void> drain(Clock::time_point deadline);
    void shut_down();

    // What a session's destructor calls.
    void give_back(std::unique_ptr<Connection> connection, Slot slot);

private:
    using Handler = boost::asio::any_completion_handler<void(std::exception_ptr, Connection*, Slot)>;
    struct Caller {
        Handler handler;
        std::optional<boost::asio::any_io_executor> elsewhere;  // where the caller goes on, unless on ours
    };
    struct Waiter {
        PoolState::Ticket ticket;
        Caller caller;
        Clock::time_point deadline;
        std::source_location where;
    };
    using Lock = std::unique_lock<std::mutex>;
    using ContextQueue = decltype(boost::asio::require(
        std::declval<boost::asio::io_context::executor_type>(), boost::asio::execution::blocking.never
    ));

    bool may_be_dead(const Connection& connection) const;
    std::optional<Waiter> remove_waiter(PoolState::Ticket ticket);
    Waiter take_waiter(PoolState::Ticket ticket);
    std::optional<Slot> take_slot(Clock::time_point now, std::source_location where, PoolState::Actions& actions);
    void join_line(Caller&& caller, Clock::time_point started, std::source_location where);
    void perform(PoolState::Actions& actions, Lock& lock);
    // They hold `self` from before they start until they end.
    boost::asio::awaitable<void> open(std::shared_ptr<PoolCore> self, Slot slot);
    boost::asio::awaitable<void> test(
        std::shared_ptr<PoolCore> self, std::unique_ptr<Connection> connection, Slot slot, bool reset
    );
    boost::asio::awaitable<void> leave(
        std::shared_ptr<PoolCore> self, std::unique_ptr<Connection> connection, Slot slot
    );
    void complete(Caller&& caller, std::exception_ptr error, std::unique_ptr<Connection> connection = {}, Slot slot = 0)
        const;
    void start_wait_timer();
    void expire_waiters();
    void cancel_waiter(PoolState::Ticket ticket);
    void plan_upkeep(Clock::time_point now);
    void do_upkeep();
    std::exception_ptr reason_to_fail() const;
    Error timeout_error(Clock::time_point now) const;

    const boost::asio::any_io_executor executor_;
    const std::optional<ContextQueue> queue_;  // the same without its wrapper, where it is an io_context's
    const PoolSettings settings_;
    const ConnectionSettings connection_settings_;
    const std::shared_ptr<const Hooks> hooks_;

    mutable std::mutex mutex_;  // guards all below
    PoolState state_;
    std::vector<std::unique_ptr<Connection>> connections_;  // by slot; null while lent, opening or tested
    std::vector<std::source_location> holders_;             // by slot; of lent ones
    std::deque<Waiter> waiters_;                            // in the order of their tickets
    std::exception_ptr connect_error_;                      // of the last attempt, null when it succeeded
    boost::asio::steady_timer wait_timer_;
    boost::asio::steady_timer upkeep_timer_;
    boost::asio::steady_timer drain_timer_;
    Clock::time_point next_upkeep_ = Clock::time_point::max();
    bool wait_timer_runs_ = false;
};

}  // namespace db

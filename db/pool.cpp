#include "db/pool.hpp"

#include "db/connection.hpp"
#include "db/error.hpp"
#include "db/pool_state.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace asio = boost::asio;

namespace db {

namespace {
constexpr std::chrono::milliseconds ping_limit{1'000};
const Statement ping_statement{"ping", "select 1"};

using Lent = std::pair<std::unique_ptr<Connection>, PoolState::Slot>;
using Handler = asio::any_completion_handler<void(std::exception_ptr, Lent*)>;
}  // namespace

// The shell around PoolState: the connections by slot, the waiters' handlers by ticket, one mutex over it all. Actions
// are carried out after the mutex is released.
class PoolCore : public std::enable_shared_from_this<PoolCore> {
public:
    using Clock = std::chrono::steady_clock;

    PoolCore(asio::any_io_executor executor, ConnectionSettings connection, PoolSettings pool, Hooks hooks)
        : executor_(std::move(executor)),
          timer_(executor_),
          settings_(pool),
          connection_settings_(std::move(connection)),
          hooks_(std::make_shared<const Hooks>(std::move(hooks))),
          state_(pool),
          held_since_(static_cast<std::size_t>(pool.pool_size + pool.max_overflow)) {
        connections_.resize(held_since_.size());
    }

    asio::awaitable<Session> checkout();
    PoolStats stats() const {
        const std::lock_guard lock(mutex_);
        return state_.stats();
    }
    void shut_down();
    asio::awaitable<void> drain(Clock::time_point deadline);
    asio::awaitable<std::unique_ptr<Connection>> open_outside(asio::any_io_executor executor, std::string url) const {
        ConnectionSettings settings = connection_settings_;
        if (!url.empty()) {
            settings.url = std::move(url);
            settings.pooler = Pooler::none;
        }
        return Connection::open(std::move(executor), std::move(settings), hooks_);
    }

private:
    struct Caller {
        asio::any_io_executor executor;  // the caller goes on there
        Handler handler;
    };
    struct Waiter {
        Caller caller;
        Clock::time_point deadline;
    };

    Session make_session(std::unique_ptr<Connection> connection, PoolState::Slot slot);
    void give_back(std::unique_ptr<Connection> connection, PoolState::Slot slot);
    void perform(PoolState::Actions& actions, std::unique_lock<std::mutex>& lock);
    asio::awaitable<void> open(PoolState::Slot slot);
    asio::awaitable<void> test(std::unique_ptr<Connection> connection, PoolState::Slot slot, bool reset);
    void finish_test(std::unique_ptr<Connection> connection, PoolState::Slot slot, bool alive);
    void spawn(asio::awaitable<void> work) { asio::co_spawn(executor_, std::move(work), asio::detached); }
    void start_timer();
    void expire_waiters();
    Error timeout_error() const;
    static void complete(Caller caller, std::exception_ptr error, std::unique_ptr<Lent> lent);
    std::optional<Session> take(Clock::time_point now, std::optional<PoolState::Slot>& suspicious);

    const asio::any_io_executor executor_;
    asio::steady_timer timer_;
    const PoolSettings settings_;
    const ConnectionSettings connection_settings_;
    const std::shared_ptr<const Hooks> hooks_;

    mutable std::mutex mutex_;  // guards all below and timer_
    PoolState state_;
    std::vector<std::unique_ptr<Connection>> connections_;  // by slot; null while lent, opening or tested
    std::vector<Clock::time_point> held_since_;             // by slot; of lent ones
    std::map<PoolState::Ticket, Waiter> waiters_;
    std::exception_ptr last_connect_error_;
    bool timer_pending_ = false;
};

Session PoolCore::make_session(std::unique_ptr<Connection> connection, PoolState::Slot slot) {
    return Session(std::move(connection), [core = shared_from_this(), slot](std::unique_ptr<Connection> back) {
        core->give_back(std::move(back), slot);
    });
}

// The fast path: suspends nobody. A connection that has something to say while nobody asked was closed by the server,
// or soon will be: `suspicious` names its slot.
std::optional<Session> PoolCore::take(Clock::time_point now, std::optional<PoolState::Slot>& suspicious) {
    std::unique_lock lock(mutex_);
    const auto slot = state_.take(now);
    if (!slot) return std::nullopt;
    std::unique_ptr<Connection>& connection = connections_[*slot];
    if (settings_.pool_pre_ping && connection->has_unread_input()) {
        suspicious = slot;
        return std::nullopt;
    }
    held_since_[*slot] = now;
    return make_session(std::move(connection), *slot);
}

asio::awaitable<Session> PoolCore::checkout() {
    const auto started = Clock::now();
    std::optional<PoolState::Slot> suspicious;
    std::optional<Session> free = take(started, suspicious);
    if (free) {
        if (hooks_->on_checkout) hooks_->on_checkout({});
        co_return std::move(*free);
    }
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto initiate = [&](auto handler) {
        std::unique_lock lock(mutex_);
        PoolState::Actions actions;
        if (suspicious) state_.found_suspicious(*suspicious, actions);
        const PoolState::Ticket ticket = state_.wait(started, actions);
        waiters_.emplace(ticket, Waiter{{executor, std::move(handler)}, started + settings_.pool_timeout});
        start_timer();
        perform(actions, lock);
    };
    Lent* lent = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, Lent*)>(
        initiate, asio::use_awaitable
    );
    const std::unique_ptr<Lent> owner(lent);
    if (hooks_->on_checkout) hooks_->on_checkout(Clock::now() - started);
    co_return make_session(std::move(owner->first), owner->second);
}

void PoolCore::complete(Caller caller, std::exception_ptr error, std::unique_ptr<Lent> lent) {
    asio::post(caller.executor, [handler = std::move(caller.handler), error, lent = std::move(lent)]() mutable {
        std::move(handler)(error, lent.release());
    });
}

// Carries out the actions; unlocks.
void PoolCore::perform(PoolState::Actions& actions, std::unique_lock<std::mutex>& lock) {
    struct Done {
        Caller caller;
        std::exception_ptr error;
        std::unique_ptr<Lent> lent;
    };
    std::vector<Done> done;
    std::vector<asio::awaitable<void>> work;
    std::vector<std::unique_ptr<Connection>> closing;
    for (const PoolState::Action& action : actions) {
        switch (action.kind) {
            case PoolState::Action::Kind::lend: {
                auto waiter = waiters_.extract(action.ticket);
                held_since_[action.slot] = Clock::now();
                done.push_back(
                    {std::move(waiter.mapped().caller),
                     nullptr,
                     std::make_unique<Lent>(std::move(connections_[action.slot]), action.slot)}
                );
                break;
            }
            case PoolState::Action::Kind::fail: {
                auto waiter = waiters_.extract(action.ticket);
                std::exception_ptr error = last_connect_error_;
                if (state_.is_shut_down() || !error) {
                    error = std::make_exception_ptr(Error(ErrorKind::closed, "the connection pool is closed"));
                }
                done.push_back({std::move(waiter.mapped().caller), error, nullptr});
                break;
            }
            case PoolState::Action::Kind::open:
                work.push_back(open(action.slot));
                break;
            case PoolState::Action::Kind::test:
                work.push_back(test(std::move(connections_[action.slot]), action.slot, false));
                break;
            case PoolState::Action::Kind::reset:
                work.push_back(test(std::move(connections_[action.slot]), action.slot, true));
                break;
            case PoolState::Action::Kind::close:
                closing.push_back(std::move(connections_[action.slot]));
                break;
        }
    }
    lock.unlock();
    for (asio::awaitable<void>& one : work) spawn(std::move(one));
    for (Done& one : done) complete(std::move(one.caller), one.error, std::move(one.lent));
}

void PoolCore::give_back(std::unique_ptr<Connection> connection, PoolState::Slot slot) {
    std::unique_lock lock(mutex_);
    const auto now = Clock::now();
    const auto held = now - held_since_[slot];
    const auto condition = !connection->is_usable()       ? PoolState::Condition::broken
                           : connection->in_transaction() ? PoolState::Condition::dirty
                                                          : PoolState::Condition::clean;
    connections_[slot] = std::move(connection);
    PoolState::Actions actions;
    state_.returned(slot, condition, now, actions);
    perform(actions, lock);
    if (hooks_->on_return) hooks_->on_return(held);
}

asio::awaitable<void> PoolCore::open(PoolState::Slot slot) {
    const auto self = shared_from_this();
    std::unique_ptr<Connection> connection;
    std::exception_ptr failure;
    try {
        connection = co_await Connection::open(executor_, connection_settings_, hooks_);
    } catch (const Error& error) {
        failure = std::current_exception();
        if (hooks_->on_connect_failure) hooks_->on_connect_failure(error);
    } catch (...) {
        failure = std::current_exception();
    }
    std::unique_lock lock(mutex_);
    PoolState::Actions actions;
    if (connection) {
        connections_[slot] = std::move(connection);
        state_.opened(slot, Clock::now(), actions);
    } else {
        last_connect_error_ = failure;
        state_.open_failed(slot, Clock::now(), actions);
    }
    perform(actions, lock);
}

asio::awaitable<void> PoolCore::test(std::unique_ptr<Connection> connection, PoolState::Slot slot, bool reset) {
    const auto self = shared_from_this();
    bool alive = false;
    try {
        if (reset) {
            co_await connection->rollback();
        } else {
            connection->send(ping_statement, {});
            co_await connection->exchange(ping_limit);
        }
        alive = connection->is_usable() && !connection->in_transaction();
    } catch (const std::exception&) {
        alive = false;  // counted as invalid, and replaced
    }
    finish_test(std::move(connection), slot, alive);
}

void PoolCore::finish_test(std::unique_ptr<Connection> connection, PoolState::Slot slot, bool alive) {
    std::unique_lock lock(mutex_);
    connections_[slot] = std::move(connection);
    PoolState::Actions actions;
    state_.tested(slot, alive, Clock::now(), actions);
    perform(actions, lock);
}

// One timer for all waiters, whose deadlines come in order: it runs until the front one's.
void PoolCore::start_timer() {
    if (timer_pending_ || waiters_.empty()) return;
    timer_pending_ = true;
    timer_.expires_at(waiters_.begin()->second.deadline);
    timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
        if (const auto core = weak.lock(); core && !error) core->expire_waiters();
    });
}

void PoolCore::expire_waiters() {
    std::vector<Caller> late;
    std::unique_lock lock(mutex_);
    timer_pending_ = false;
    const auto now = Clock::now();
    const Error error = timeout_error();
    while (!waiters_.empty() && waiters_.begin()->second.deadline <= now) {
        auto waiter = waiters_.extract(waiters_.begin());
        state_.leave(waiter.key(), true);
        late.push_back(std::move(waiter.mapped().caller));
    }
    start_timer();
    lock.unlock();
    for (Caller& caller : late) complete(std::move(caller), std::make_exception_ptr(error), nullptr);
}

Error PoolCore::timeout_error() const {
    const PoolStats stats = state_.stats();
    auto oldest = Clock::now();
    for (std::size_t slot = 0; slot < connections_.size(); ++slot) {
        if (state_.is_lent(static_cast<PoolState::Slot>(slot))) oldest = std::min(oldest, held_since_[slot]);
    }
    const auto seconds = [](auto duration) {
        return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
    };
    return Error(
        ErrorKind::pool_timeout,
        "no database session became free within " + seconds(settings_.pool_timeout) + ": pool_size " +
            std::to_string(settings_.pool_size) + ", overflow " + std::to_string(stats.overflow) + " of max_overflow " +
            std::to_string(settings_.max_overflow) + ", checked_out " + std::to_string(stats.checked_out) +
            ", waiting " + std::to_string(stats.waiting) + ", longest held for " + seconds(Clock::now() - oldest) +
            "; raise pool_size or max_overflow, or find what holds sessions so long"
    );
}

void PoolCore::shut_down() {
    std::unique_lock lock(mutex_);
    PoolState::Actions actions;
    if (!state_.is_shut_down()) state_.shut_down(actions);
    timer_.cancel();
    perform(actions, lock);
}

asio::awaitable<void> PoolCore::drain(Clock::time_point deadline) {
    shut_down();
    asio::steady_timer pause(co_await asio::this_coro::executor);
    while (Clock::now() < deadline && stats().checked_out > 0) {
        pause.expires_after(std::chrono::milliseconds(5));
        co_await pause.async_wait(asio::use_awaitable);
    }
}

Pool::Pool(asio::any_io_executor executor, ConnectionSettings connection, PoolSettings pool, Hooks hooks)
    : core_(std::make_shared<PoolCore>(std::move(executor), std::move(connection), pool, std::move(hooks))) {}

Pool::~Pool() {
    core_->shut_down();
}

asio::awaitable<Session> Pool::checkout() {
    return core_->checkout();
}

asio::awaitable<Session> Pool::open_outside(asio::any_io_executor executor, std::string url) const {
    co_return Session(co_await core_->open_outside(std::move(executor), std::move(url)));
}

PoolStats Pool::stats() const {
    return core_->stats();
}

asio::awaitable<void> Pool::drain(std::chrono::steady_clock::time_point deadline) {
    return core_->drain(deadline);
}

}  // namespace db

#pragma once

// The control loops: heartbeat, wake-ups, deadlines. They run on a thread and on connections of their own, so that no
// busy handler can starve them.

#include "db/connection.hpp"
#include "db/session.hpp"
#include "queue/workers.hpp"
#include "worker/config.hpp"
#include "worker/engine.hpp"
#include "worker/logging.hpp"
#include "worker/wakeup.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>

namespace worker {

class Control {
public:
    using Clock = std::chrono::steady_clock;

    // `hooks`: the pool's, so that its statements are counted and logged like any other.
    Control(
        boost::asio::any_io_executor executor,
        const Config& config,
        Engine& engine,
        queue::NewWorker self,
        db::Hooks hooks
    );

    // The loops; each ends after stop(). Never throw.
    boost::asio::awaitable<void> beat();
    boost::asio::awaitable<void> listen();
    boost::asio::awaitable<void> watch_deadlines();

    // The process was registered under this id just now.
    void registered(queue::WorkerId worker);
    queue::WorkerId worker() const { return worker_; }
    // How long ago the last accepted heartbeat was sent.
    std::chrono::nanoseconds heartbeat_age() const;
    bool is_listening() const { return listening_; }

    void stop();

private:
    boost::asio::awaitable<void> beat_once(db::Session& session);
    boost::asio::awaitable<void> be_reborn(db::Session& session);
    boost::asio::awaitable<db::Session> open(bool direct);
    void check_lease();
    void suspend();
    bool awaits_handlers() const;
    void heed(const db::Notification& notification);

    const boost::asio::any_io_executor executor_;
    const Config& config_;
    Engine& engine_;
    const queue::NewWorker self_;
    const std::shared_ptr<const db::Hooks> hooks_;
    Wakeup beat_wakeup_;
    Wakeup listen_wakeup_;
    Wakeup watch_wakeup_;
    std::atomic<queue::WorkerId> worker_{};
    std::atomic<Clock::duration> last_accepted_{};  // since the clock's epoch
    std::atomic<bool> stopping_ = false;
    std::atomic<bool> listening_ = false;
    bool suspended_ = false;                  // leases given up; only on the control thread
    Clock::time_point suspended_at_{};        // only on the control thread
    bool has_killed_ = false;                 // what still ran then; only on the control thread
    bool refresh_ = false;                    // the next beat reads the queues; only on the control thread
    db::Connection* listening_on_ = nullptr;  // only on the control thread
    SayOnce trouble_;
    SayOnce listen_trouble_;
};

}  // namespace worker

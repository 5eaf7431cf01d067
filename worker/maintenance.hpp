#pragma once

// Maintenance: what one elected worker of the fleet does for all. Promote due jobs, fold batches, rescue the jobs of
// dead workers, look after the history. It asks once a second whether there is anything to do; every step is bounded,
// runs in a transaction of its own, and is tried again with the next pass when it fails: that keeps no other from its
// turn, and is said once.

#include "db/pool.hpp"
#include "queue/ids.hpp"
#include "queue/leader.hpp"
#include "worker/config.hpp"
#include "worker/engine.hpp"
#include "worker/foothold.hpp"
#include "worker/logging.hpp"
#include "worker/metrics.hpp"
#include "worker/wakeup.hpp"
#include "worker/watchman.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

namespace worker {

class Maintenance {
public:
    using Clock = std::chrono::steady_clock;

    // `worker` answers the id under which the process lives now.
    Maintenance(
        boost::asio::any_io_executor executor,
        db::Pool& pool,
        const Config& config,
        Engine& engine,
        Metrics& metrics,
        std::function<queue::WorkerId()> worker
    );

    // Until stop(); gives the lead up at the end. Never throws.
    boost::asio::awaitable<void> run();
    void stop();
    bool is_leader() const { return leader_; }

private:
    boost::asio::awaitable<std::chrono::milliseconds> look();
    void change_lead(bool leads);
    void failed(std::string_view step, const db::Error& error);
    void worked(std::string_view step);
    boost::asio::awaitable<void> try_step(std::string_view name, boost::asio::awaitable<void> step);
    boost::asio::awaitable<bool> lead(const queue::Look& look, const std::vector<queue::SeenBeat>& silent);
    boost::asio::awaitable<void> promote();
    boost::asio::awaitable<void> fold(const queue::Look& look);
    boost::asio::awaitable<void> declare_dead(const std::vector<queue::SeenBeat>& silent);
    boost::asio::awaitable<void> rescue();
    boost::asio::awaitable<void> keep_history();
    boost::asio::awaitable<void> prune();
    boost::asio::awaitable<void> measure();
    boost::asio::awaitable<void> measure_batches(db::Session& session);
    boost::asio::awaitable<void> check_budget();

    db::Pool& pool_;
    const Config& config_;
    Engine& engine_;
    Metrics& metrics_;
    const std::function<queue::WorkerId()> worker_;
    Wakeup wakeup_;
    std::chrono::milliseconds pause_;  // between two looks of the leader: grows while there is nothing to do
    std::atomic<bool> stopping_ = false;
    std::atomic<bool> leader_ = false;
    const std::chrono::milliseconds watch_period_;  // several reads within half of lease_timeout
    Watchman watchman_;
    bool step_failed_ = false;                     // in this pass
    std::map<std::string_view, SayOnce> trouble_;  // by step
    SayOnce history_;
    SayOnce overrun_;
    Foothold foothold_;
    Foothold::Place place_;        // where the last look began
    std::int64_t fold_after_ = 0;  // where the next fold goes on when the last one did not come to its end
    queue::RowId late_after_{};    // where looks for late commits begin: where ids stood 10 to 20 s ago
    queue::RowId late_next_{};
    bool measured_empty_ = false;  // the queues, when ids stood at measured_last_
    queue::RowId measured_last_{};
    Clock::time_point next_late_{};
    Clock::time_point next_fold_{};
    Clock::time_point next_measure_{};
    std::int64_t budgeted_ = -1;  // connections of the fleet when they were held against the server
    Clock::time_point budgeted_at_{};
    Clock::time_point next_prune_{};
    Clock::time_point next_history_{};
};

}  // namespace worker

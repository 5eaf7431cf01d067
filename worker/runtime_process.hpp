#pragma once

// The worker process: its parts, how they start (runtime.cpp) and how they stop (runtime_stop.cpp).

#include "db/pool.hpp"
#include "jobs/handler.hpp"
#include "queue/workers.hpp"
#include "worker/control.hpp"
#include "worker/endpoints.hpp"
#include "worker/engine.hpp"
#include "worker/exit_code.hpp"
#include "worker/logging.hpp"
#include "worker/maintenance.hpp"
#include "worker/metrics.hpp"
#include "worker/overview.hpp"
#include "worker/runtime.hpp"
#include "worker/startup.hpp"
#include "worker/stop_signals.hpp"
#include "worker/stopping.hpp"
#include "worker/wakeup.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <atomic>
#include <csignal>
#include <exception>
#include <optional>
#include <utility>

namespace worker {

// What asks the process to stop is kept from here on, until somebody waits for it, and was held before.
struct StopSignals : boost::asio::signal_set {
    // `hangup`: what asks for a new log file.
    StopSignals(boost::asio::io_context& context, boost::asio::signal_set& hangup, bool has_log_file)
        : basic_signal_set(context, SIGTERM, SIGINT) {
        if (has_log_file) hangup.add(SIGHUP);  // without one it means what it always does
        release_stop_signals();
    }
};

// The parts of the process and the order in which they live: what comes later is destroyed first.
class Process {
public:
    explicit Process(const RunRequest& request);

    int run();

private:
    db::Hooks hooks();
    EndpointCallbacks endpoint_callbacks();
    boost::asio::awaitable<void> supervise();
    boost::asio::awaitable<void> start();
    boost::asio::awaitable<void> wait_for_start();
    boost::asio::awaitable<void> stop();
    boost::asio::awaitable<void> wait_for_engine();
    boost::asio::awaitable<void> sign_off();
    void watch_signals();
    void watch_hangup();
    void promise_to_end() const;
    void write_ready_file() const;
    // Runs a loop until it ends by itself; it never throws.
    template <class Context>
    void spawn(Context& context, boost::asio::awaitable<void> loop) {
        ++loops_;
        boost::asio::co_spawn(context, std::move(loop), [this](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);  // a bug: better to die than to go on without this loop
            --loops_;
            changed_.notify();
        });
    }

    const RunRequest& request_;
    const Config& config_;
    boost::asio::io_context control_context_{1};
    boost::asio::signal_set hangup_{control_context_};
    StopSignals signals_;  // before all that starts threads, which would go on holding them, and their programs too
    jobs::BlockingThreads blocking_;
    const jobs::Registry registry_;
    Metrics metrics_;
    SayOnce connect_trouble_;
    boost::asio::io_context main_;
    db::Pool pool_;
    Engine engine_;
    const queue::NewWorker self_;
    Control control_;
    Maintenance maintenance_;
    Overview overview_;
    Wakeup changed_;
    Stopping stopping_;  // only on the control thread
    std::optional<Endpoints> endpoints_;
    std::atomic<bool> stop_asked_ = false;
    std::atomic<bool> started_ = false;
    bool registered_ = false;   // only on the control thread
    bool start_ended_ = false;  // only on the control thread
    bool up_ = false;           // only on the control thread
    std::atomic<bool> engine_done_ = false;
    std::atomic<int> loops_ = 0;
    int exit_code_ = exit_ok;
};

}  // namespace worker

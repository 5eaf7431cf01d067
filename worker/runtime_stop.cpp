// How a worker process ends: signals, phases, sign-off.
#include "jobs/guard.hpp"
#include "queue/workers.hpp"
#include "worker/logging.hpp"
#include "worker/runtime_process.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker {

namespace {
constexpr std::chrono::seconds signing_off = 2s;
constexpr std::chrono::seconds last_writes = 5s;  // for what is unwritten once everything has stopped
constexpr std::chrono::seconds draining = 1s;
constexpr std::chrono::seconds margin = 2s;
}  // namespace

// Everything on the way out has its limit, but for what only an orderly end of the process waits for: a name server
// that does not answer, a destructor.
void Process::promise_to_end() const {
    const auto limit =
        config_.shutdown.soft + config_.shutdown.hard + 2 * last_writes + signing_off + draining + margin;
    std::thread([limit] {
        std::this_thread::sleep_for(limit);
        std::_Exit(exit_failed);
    }).detach();
}

void Process::watch_signals() {
    signals_.async_wait([this](boost::system::error_code error, int signal) {
        if (error) return;
        log(Component::worker,
            LogLevel::info,
            stopping_.has_begun() ? "signal: skipping ahead" : "signal: stopping",
            {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
        if (!stop_asked_.exchange(true)) promise_to_end();
        stopping_.signal(Stopping::Time::clock::now());
        changed_.notify();
        watch_signals();
    });
}

// logrotate has moved the log away.
void Process::watch_hangup() {
    hangup_.async_wait([this](boost::system::error_code error, int) {
        if (error) return;
        reopen_log();
        watch_hangup();
    });
}

asio::awaitable<void> Process::stop() {
    stop_asked_ = true;
    if (started_) {
        co_await wait_for_engine();
        maintenance_.stop();
        overview_.stop();
        control_.stop();
        for (const std::string& name : registry_.names()) {
            if (const auto& close = registry_.find(name)->close) spawn(main_, close());
        }
        const auto limit = Stopping::Time::clock::now() + last_writes;
        while (loops_ > 0 && Stopping::Time::clock::now() < limit) co_await changed_.wait_until(limit);
    }
    if (registered_) co_await sign_off();
    co_await pool_.drain(Stopping::Time::clock::now() + draining);
    if (endpoints_) endpoints_->close();
    log(Component::worker, LogLevel::info, "stopped");
    signals_.cancel();
    hangup_.cancel();
    main_.stop();
    control_context_.stop();
}

asio::awaitable<void> Process::sign_off() {
    spawn(main_, [](db::Pool& pool, queue::WorkerId worker) -> asio::awaitable<void> {
        try {
            db::Session session = co_await pool.checkout();
            co_await queue::retire_worker(session, worker);
        } catch (const db::Error& error) {
            log(Component::worker,
                LogLevel::warn,
                "the worker could not sign off: others will notice in lease_timeout",
                {{"error", error.what()}});
        }
    }(pool_, control_.worker()));
    const auto limit = Stopping::Time::clock::now() + signing_off;
    while (loops_ > 0 && Stopping::Time::clock::now() < limit) co_await changed_.wait_until(limit);
}

// Soft, hard, closing: each until the engine has written everything, or its time is up.
asio::awaitable<void> Process::wait_for_engine() {
    auto phase = Engine::Phase::running;
    std::optional<Stopping::Time> give_up;
    while (!engine_done_) {
        const auto now = Stopping::Time::clock::now();
        stopping_.tick(now);
        if (stopping_.phase() != phase) {
            phase = stopping_.phase();
            // What is handed back may run elsewhere at once: not beside a program that is still here.
            if (phase == Engine::Phase::closing) jobs::kill_guarded_groups();
            engine_.enter(phase);
            if (phase == Engine::Phase::closing) give_up = now + last_writes;
        }
        if (give_up && now >= *give_up) {
            log(Component::worker,
                LogLevel::error,
                "the last outcomes could not be written: their jobs will be rescued and run again");
            co_return;
        }
        co_await changed_.wait_until(give_up ? give_up : stopping_.deadline());
    }
}

}  // namespace worker

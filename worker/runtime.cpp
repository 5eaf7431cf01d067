#include "worker/runtime.hpp"

#include "db/pool.hpp"
#include "queue/workers.hpp"
#include "worker/control.hpp"
#include "worker/endpoints.hpp"
#include "worker/engine.hpp"
#include "worker/exit_code.hpp"
#include "worker/logging.hpp"
#include "worker/maintenance.hpp"
#include "worker/metrics.hpp"
#include "worker/registry.hpp"
#include "worker/startup.hpp"
#include "worker/status.hpp"
#include "worker/stopping.hpp"
#include "worker/version.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker {

namespace {

constexpr std::chrono::seconds signing_off = 2s;
constexpr std::chrono::seconds last_writes = 5s;  // for what is unwritten once everything has stopped

// The parts of the process and the order in which they live: what comes later is destroyed first.
class Process {
public:
    explicit Process(const RunRequest& request)
        : request_(request),
          config_(request.config.config),
          registry_(make_registry(config_)),
          metrics_(version, registry_.names()),
          main_(std::max(1, config_.worker.threads)),
          pool_(main_.get_executor(), config_.database.connection, config_.database.pool, hooks()),
          engine_({main_.get_executor(), pool_, config_, registry_, metrics_}),
          self_(describe_self(config_, registry_.names())),
          control_(control_context_.get_executor(), config_, engine_, self_, hooks()),
          maintenance_(main_.get_executor(), pool_, config_, engine_, metrics_, [this] { return control_.worker(); }),
          signals_(control_context_, SIGTERM, SIGINT),
          changed_(control_context_.get_executor()),
          stopping_(config_.shutdown) {}

    int run();

private:
    db::Hooks hooks();
    EndpointCallbacks endpoint_callbacks();
    asio::awaitable<void> supervise();
    asio::awaitable<bool> start();
    asio::awaitable<void> stop();
    asio::awaitable<void> wait_for_engine();
    asio::awaitable<void> sign_off();
    void watch_signals();
    void write_ready_file() const;
    // Runs a loop until it ends by itself; it never throws.
    template <class Context>
    void spawn(Context& context, asio::awaitable<void> loop) {
        ++loops_;
        asio::co_spawn(context, std::move(loop), [this](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);  // a bug: better to die than to go on without this loop
            --loops_;
            changed_.notify();
        });
    }

    const RunRequest& request_;
    const Config& config_;
    const jobs::Registry registry_;
    Metrics metrics_;
    SayOnce connect_trouble_;
    asio::io_context main_;
    asio::io_context control_context_{1};
    db::Pool pool_;
    Engine engine_;
    const queue::NewWorker self_;
    Control control_;
    Maintenance maintenance_;
    asio::signal_set signals_;
    Wakeup changed_;
    Stopping stopping_;  // only on the control thread
    std::optional<Endpoints> endpoints_;
    std::atomic<bool> stop_asked_ = false;
    std::atomic<bool> started_ = false;
    bool registered_ = false;  // only on the control thread
    std::atomic<bool> engine_done_ = false;
    std::atomic<int> loops_ = 0;
    int exit_code_ = exit_ok;
};

db::Hooks Process::hooks() {
    db::Hooks hooks = metrics_.hooks();
    hooks.on_notice = [](std::string_view severity, std::string_view message) {
        log(severity == "WARNING" ? LogLevel::warn : LogLevel::info, message, {{"from", "server"}});
    };
    hooks.on_connect_failure = [this, counted = hooks.on_connect_failure](const db::Error& error) {
        counted(error);
        log_once(connect_trouble_, LogLevel::warn, "cannot connect", {{"error", error.what()}});
    };
    if (config_.database.echo) {
        hooks.on_statement = [counted = hooks.on_statement](
                                 std::string_view statement, std::chrono::nanoseconds took, const db::Error* error
                             ) {
            if (counted) counted(statement, took, error);
            const double ms = std::chrono::duration<double, std::milli>(took).count();
            Fields fields{{"statement", statement}, {"ms", ms}};
            if (error != nullptr) fields.emplace_back("sqlstate", error->sqlstate());
            log(LogLevel::info, "statement", fields);
        };
    }
    return hooks;
}

EndpointCallbacks Process::endpoint_callbacks() {
    EndpointCallbacks callbacks;
    callbacks.metrics = [this] { return metrics_.to_text(); };
    callbacks.readiness = [this]() -> Readiness {
        if (stop_asked_) return {false, "stopping"};
        if (!started_) return {false, "starting"};
        if (control_.heartbeat_age() > config_.worker.heartbeat * 2 + 1s)
            return {false, "no heartbeat accepted lately"};
        return {true, {}};
    };
    callbacks.status = [this] {
        return status_json({
            .worker = control_.worker(),
            .self = self_,
            .engine = engine_.snapshot(),
            .pool = pool_.stats(),
            .leader = maintenance_.is_leader(),
            .listening = control_.is_listening(),
            .stopping = stop_asked_.load(),
            .heartbeat_age = control_.heartbeat_age(),
        });
    };
    return callbacks;
}

void Process::watch_signals() {
    signals_.async_wait([this](boost::system::error_code error, int signal) {
        if (error) return;
        log(LogLevel::info,
            stopping_.has_begun() ? "signal: skipping ahead" : "signal: stopping",
            {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
        stop_asked_ = true;
        stopping_.signal(Stopping::Time::clock::now());
        changed_.notify();
        watch_signals();
    });
}

void Process::write_ready_file() const {
    if (request_.ready_file.empty()) return;
    const std::string temporary = request_.ready_file + ".new";
    std::ofstream(temporary) << config_.database.connection.url << '\n';
    std::rename(temporary.c_str(), request_.ready_file.c_str());
}

asio::awaitable<bool> Process::start() {
    std::optional<StartRefused> refused;
    try {
        const queue::WorkerId worker =
            co_await asio::co_spawn(main_, start_up(pool_, config_, self_, stop_asked_), asio::use_awaitable);
        control_.registered(worker);
        registered_ = true;
        co_await asio::co_spawn(main_, engine_.prepare(), asio::use_awaitable);
    } catch (const StartRefused& error) {
        refused = error;
    } catch (const db::Error& error) {
        refused.emplace(exit_unreachable, std::string("the start failed: ") + error.what());
    }
    if (refused && !stop_asked_) {
        log(LogLevel::error, refused->what());
        exit_code_ = refused->exit_code();
    }
    co_return !refused;
}

asio::awaitable<void> Process::supervise() {
    const bool up = co_await start();
    if (up) {
        spawn(control_context_, control_.beat());
        spawn(control_context_, control_.listen());
        spawn(control_context_, control_.watch_deadlines());
        spawn(main_, maintenance_.run());
        spawn(main_, [](Engine& engine, queue::WorkerId worker, std::atomic<bool>& done) -> asio::awaitable<void> {
            co_await engine.run(worker);
            done = true;
        }(engine_, control_.worker(), engine_done_));
        started_ = true;
        write_ready_file();
        log(LogLevel::info,
            "ready",
            {{"worker_id", static_cast<std::int64_t>(control_.worker())},
             {"slots", config_.worker.concurrency},
             {"threads", config_.worker.threads},
             {"http", endpoints_ ? endpoints_->port() : 0}});
        while (!stopping_.has_begun()) co_await changed_.wait_until({});
    }
    co_await stop();
}

asio::awaitable<void> Process::stop() {
    stop_asked_ = true;
    if (started_) {
        co_await wait_for_engine();
        maintenance_.stop();
        control_.stop();
        const auto limit = Stopping::Time::clock::now() + last_writes;
        while (loops_ > 0 && Stopping::Time::clock::now() < limit) co_await changed_.wait_until(limit);
    }
    if (registered_) co_await sign_off();
    co_await pool_.drain(Stopping::Time::clock::now() + 1s);
    if (endpoints_) endpoints_->close();
    log(LogLevel::info, "stopped");
    signals_.cancel();
    main_.stop();
    control_context_.stop();
}

asio::awaitable<void> Process::sign_off() {
    spawn(main_, [](db::Pool& pool, queue::WorkerId worker) -> asio::awaitable<void> {
        try {
            db::Session session = co_await pool.checkout();
            co_await queue::retire_worker(session, worker);
        } catch (const db::Error& error) {
            log(LogLevel::warn,
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
            engine_.enter(phase);
            if (phase == Engine::Phase::closing) give_up = now + last_writes;
        }
        if (give_up && now >= *give_up) {
            log(LogLevel::error, "the last outcomes could not be written: their jobs will be rescued and run again");
            co_return;
        }
        co_await changed_.wait_until(give_up ? give_up : stopping_.deadline());
    }
}

int Process::run() {
    try {
        endpoints_.emplace(control_context_.get_executor(), config_.listen, endpoint_callbacks());
    } catch (const std::runtime_error& error) {
        log(LogLevel::error, error.what());
        return exit_usage;
    }
    metrics_.set_probes(
        {[this] { return pool_.stats(); },
         [this] {
             engine_.count_ended();
             const Engine::Snapshot engine = engine_.snapshot();
             return EngineSnapshot{
                 engine.running, engine.unstarted, maintenance_.is_leader(), control_.heartbeat_age()
             };
         }}
    );
    watch_signals();
    asio::co_spawn(control_context_, supervise(), [](std::exception_ptr error) {
        if (error) std::rethrow_exception(error);
    });
    auto work = asio::make_work_guard(main_);
    std::vector<std::thread> threads;
    for (int i = 0; i < std::max(1, config_.worker.threads); ++i) threads.emplace_back([this] { main_.run(); });
    control_context_.run();
    if (loops_ > 0 || !engine_.has_ended()) {
        // A handler that ignores its stop token, or a database that does not answer: what they hold cannot be taken
        // from them in order. Everything that could be written is.
        spdlog::shutdown();
        std::_Exit(exit_code_);
    }
    for (std::thread& thread : threads) thread.join();
    return exit_code_;
}

}  // namespace

int run_worker(const RunRequest& request) {
    set_up_logging(request.config.config.log);
    for (const std::string& note : request.config.notes) log(LogLevel::info, note);
    Process process(request);
    return process.run();
}

}  // namespace worker

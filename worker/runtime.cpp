#include "worker/runtime.hpp"

#include "worker/database_log.hpp"
#include "worker/exit_code.hpp"
#include "worker/logging.hpp"
#include "worker/registry.hpp"
#include "worker/runtime_process.hpp"
#include "worker/status.hpp"
#include "worker/version.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker {

namespace {
constexpr std::chrono::seconds leaving_start = 2s;  // for a start that was told to stop
}  // namespace

Process::Process(const RunRequest& request)
    : request_(request),
      config_(request.config.config),
      signals_(control_context_, hangup_, !config_.log.file.empty()),
      blocking_(config_.worker.blocking_threads),
      registry_(make_registry(config_, request.add_kinds, {blocking_})),
      metrics_(version, registry_.names()),
      main_(std::max(1, config_.worker.threads)),
      pool_(main_.get_executor(), config_.database.connection, config_.database.pool, hooks()),
      engine_({main_.get_executor(), pool_, config_, registry_, metrics_}),
      self_(describe_self(config_, registry_.names())),
      control_(control_context_.get_executor(), config_, engine_, self_, hooks()),
      maintenance_(main_.get_executor(), pool_, config_, engine_, metrics_, [this] { return control_.worker(); }),
      overview_(main_.get_executor(), pool_),
      changed_(control_context_.get_executor()),
      stopping_(config_.shutdown) {}

db::Hooks Process::hooks() {
    db::Hooks hooks = database_log(config_.database);
    hooks.on_connect = [this](const db::Error* error) {
        if (error == nullptr) {
            connect_trouble_.clear();
        } else {
            log_once(
                connect_trouble_, Component::database, LogLevel::warn, "cannot connect", {{"error", error->what()}}
            );
        }
    };
    hooks.on_statement = [logged = std::move(hooks.on_statement), counted = metrics_.hooks().on_statement](
                             std::string_view statement, std::chrono::nanoseconds took, const db::Error* error
                         ) {
        counted(statement, took, error);
        if (logged) logged(statement, took, error);
    };
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
        engine_.count_ended();
        return status_json({
            .worker = control_.worker(),
            .self = self_,
            .engine = engine_.snapshot(),
            .pool = pool_.stats(),
            .leader = maintenance_.is_leader(),
            .listening = control_.is_listening(),
            .stopping = stop_asked_.load(),
            .heartbeat_age = control_.heartbeat_age(),
            .ended = metrics_.attempts_ended(),
            .fleet = overview_.ask(),
        });
    };
    return callbacks;
}

void Process::write_ready_file() const {
    if (request_.ready_file.empty()) return;
    const std::string temporary = request_.ready_file + ".new";
    std::ofstream(temporary) << config_.database.connection.url << '\n';
    std::rename(temporary.c_str(), request_.ready_file.c_str());
}

asio::awaitable<void> Process::start() {
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
        log(Component::worker, LogLevel::error, refused->what());
        exit_code_ = refused->exit_code();
    }
    up_ = !refused;
    start_ended_ = true;
}

// A start that was told to stop may still wait for the server, or for a migration of another's.
asio::awaitable<void> Process::wait_for_start() {
    std::optional<Stopping::Time> limit;
    while (!start_ended_) {
        if (stop_asked_ && !limit) limit = Stopping::Time::clock::now() + leaving_start;
        if (limit && Stopping::Time::clock::now() >= *limit) {
            log(Component::worker, LogLevel::warn, "told to stop while starting: whatever the start waits for is left");
            co_return;
        }
        co_await changed_.wait_until(limit);
    }
}

asio::awaitable<void> Process::supervise() {
    spawn(control_context_, start());
    co_await wait_for_start();
    if (up_ && !stopping_.has_begun()) {
        spawn(control_context_, control_.beat());
        spawn(control_context_, control_.listen());
        spawn(control_context_, control_.watch_deadlines());
        spawn(main_, maintenance_.run());
        spawn(main_, overview_.run());
        spawn(main_, [](Engine& engine, queue::WorkerId worker, std::atomic<bool>& done) -> asio::awaitable<void> {
            co_await engine.run(worker);
            done = true;
        }(engine_, control_.worker(), engine_done_));
        started_ = true;
        write_ready_file();
        log(Component::worker,
            LogLevel::info,
            "ready",
            {{"worker_id", static_cast<std::int64_t>(control_.worker())},
             {"slots", config_.worker.concurrency},
             {"threads", config_.worker.threads},
             {"http", endpoints_ ? endpoints_->port() : 0}});
        while (!stopping_.has_begun()) co_await changed_.wait_until({});
    }
    co_await stop();
}

int Process::run() {
    try {
        endpoints_.emplace(control_context_.get_executor(), config_.listen, endpoint_callbacks());
    } catch (const std::runtime_error& error) {
        log(Component::worker, LogLevel::error, error.what());
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
         },
         [this] { return handler_snapshots(registry_); }}
    );
    watch_signals();
    watch_hangup();
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
        log_left_out(Repeats::Time::max());
        std::_Exit(exit_code_);
    }
    for (std::thread& thread : threads) thread.join();
    log_left_out(Repeats::Time::max());
    return exit_code_;
}

int run_worker(const RunRequest& request) {
    try {
        set_up_logging(request.config.config.log);
    } catch (const std::runtime_error& error) {
        fmt::print(stderr, "task-worker: {}\n", error.what());
        return exit_usage;
    }
    for (const std::string& note : request.config.notes) log(Component::worker, LogLevel::info, note);
    Process process(request);
    return process.run();
}

}  // namespace worker

#include "worker/control.hpp"

#include "db/pipeline.hpp"
#include "jobs/guard.hpp"
#include "queue/wake.hpp"
#include "worker/direct_connection.hpp"
#include "worker/jitter.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker {

namespace {

constexpr std::chrono::milliseconds first_retry = 200ms;
constexpr std::chrono::milliseconds longest_retry = 5s;
constexpr std::chrono::milliseconds listen_check = 15s;
constexpr std::chrono::milliseconds tick = 100ms;    // how late a deadline may be noticed
constexpr std::chrono::milliseconds deaf_beat = 1s;  // and a cancelled job or a paused queue, without notifications

}  // namespace

Control::Control(
    asio::any_io_executor executor, const Config& config, Engine& engine, queue::NewWorker self, db::Hooks hooks
)
    : executor_(executor),
      config_(config),
      engine_(engine),
      self_(std::move(self)),
      hooks_(std::make_shared<const db::Hooks>(std::move(hooks))),
      beat_wakeup_(executor),
      listen_wakeup_(executor),
      watch_wakeup_(executor) {}

void Control::registered(queue::WorkerId worker) {
    worker_ = worker;
    last_accepted_ = Clock::now().time_since_epoch();
}

std::chrono::nanoseconds Control::heartbeat_age() const {
    return Clock::now().time_since_epoch() - last_accepted_.load();
}

asio::awaitable<db::Session> Control::open(bool direct) {
    db::ConnectionSettings settings = direct ? direct_connection(config_.database) : config_.database.connection;
    // A call that hangs must end well before the lease does.
    const auto patience = std::max<std::chrono::milliseconds>(config_.worker.lease_timeout / 6, 500ms);
    settings.connect_timeout = std::min(settings.connect_timeout, patience);
    settings.statement_timeout = patience;
    settings.grace = 500ms;
    co_return db::Session(co_await db::Connection::open(executor_, std::move(settings), hooks_));
}

asio::awaitable<void> Control::beat() {
    std::optional<db::Session> session;
    std::chrono::milliseconds retry = first_retry;
    while (!stopping_) {
        std::optional<db::Error> failure;
        try {
            if (!session) session.emplace(co_await open(false));
            co_await beat_once(*session);
        } catch (const db::Error& error) {
            failure = error;
        }
        check_lease();
        auto period = listening_ ? config_.worker.heartbeat : std::min(config_.worker.heartbeat, deaf_beat);
        if (suspended_) period = std::min(period, first_retry);  // until the handlers have stopped
        std::chrono::milliseconds pause = jittered(period);
        if (failure) {
            session.reset();
            refresh_ = true;
            log_once(
                trouble_, Component::control, LogLevel::warn, "heartbeat not accepted", {{"error", failure->what()}}
            );
            pause = jittered(std::min(retry, config_.worker.heartbeat));
            retry = std::min(retry * 2, longest_retry);
        } else {
            if (trouble_.clear()) log(Component::control, LogLevel::info, "heartbeat accepted again");
            retry = first_retry;
        }
        co_await beat_wakeup_.wait_for(pause);
    }
}

asio::awaitable<void> Control::beat_once(db::Session& session) {
    const auto sent = Clock::now();
    const queue::WorkerId worker = worker_;
    queue::Heartbeat heartbeat;
    if (listening_ && !std::exchange(refresh_, false)) {
        heartbeat = co_await queue::record_heartbeat(session, worker);
    } else {
        auto answers =
            co_await db::pipelined(session, queue::record_heartbeat(session, worker), engine_.refresh_queues(session));
        heartbeat = std::move(std::get<0>(answers));
    }
    if (!heartbeat.alive || (suspended_ && !awaits_handlers())) {
        co_await be_reborn(session);
        co_return;
    }
    last_accepted_ = sent.time_since_epoch();
    if (suspended_) co_return;
    if (!heartbeat.cancels.empty()) engine_.cancel(heartbeat.cancels);
}

// Under its old id the worker's leases are, or will be, others'. It goes on as a new worker.
asio::awaitable<void> Control::be_reborn(db::Session& session) {
    const queue::WorkerId old = worker_;
    if (!suspended_) suspend();
    const auto sent = Clock::now();
    co_await queue::retire_worker(session, old);
    const queue::WorkerId worker = co_await queue::register_worker(session, self_);
    worker_ = worker;
    last_accepted_ = sent.time_since_epoch();
    suspended_ = false;
    engine_.adopt(worker);
    log(Component::control,
        LogLevel::warn,
        "the lease had ended: going on as a new worker",
        {{"worker_id", static_cast<std::int64_t>(worker)}, {"was", static_cast<std::int64_t>(old)}});
}

void Control::suspend() {
    suspended_ = true;
    suspended_at_ = Clock::now();
    has_killed_ = false;
    engine_.lose_leases();
}

// Under the old id the worker goes on beating while its handlers stop: their jobs must not be others' meanwhile. Code
// of the worker's own that does not stop cannot be waited for longer than it had.
bool Control::awaits_handlers() const {
    return engine_.snapshot().running > 0 && Clock::now() - suspended_at_ < config_.worker.lease_timeout / 3;
}

// Handlers must have stopped before another worker may take over: they are told after two thirds of the lease, and
// after half of what is left then the programs that still run are killed, whatever their kill_after.
void Control::check_lease() {
    if (!suspended_ && heartbeat_age() >= config_.worker.lease_timeout * 2 / 3) {
        log(Component::control,
            LogLevel::error,
            "no heartbeat was accepted for two thirds of lease_timeout: stopping every handler");
        suspend();
    }
    if (!suspended_ || has_killed_ || Clock::now() - suspended_at_ < config_.worker.lease_timeout / 6) return;
    has_killed_ = true;
    if (const int killed = jobs::kill_guarded_groups(); killed > 0)
        log(Component::control,
            LogLevel::warn,
            "the lease is about to end: programs that still ran are killed",
            {{"programs", killed}});
}

asio::awaitable<void> Control::watch_deadlines() {
    while (!stopping_) {
        engine_.stop_overdue(Clock::now());
        check_lease();
        log_left_out();
        co_await watch_wakeup_.wait_for(tick);
    }
}

asio::awaitable<void> Control::listen() {
    // Behind a pooler, and without a way past it, nothing would arrive: the worker polls.
    if (config_.database.connection.pooler != db::Pooler::none && config_.database.direct_url.empty()) co_return;
    std::chrono::milliseconds retry = first_retry;
    while (!stopping_) {
        std::string trouble;
        try {
            db::Session session = co_await open(true);
            co_await queue::listen(session);
            listening_on_ = &session.connection();
            listening_ = true;
            engine_.set_listening(true);
            refresh_ = true;  // what came meanwhile was not heard
            beat_wakeup_.notify();
            engine_.wake();
            if (listen_trouble_.clear()) log(Component::control, LogLevel::info, "listening again");
            retry = first_retry;
            while (!stopping_) {
                const auto notification = co_await session.connection().wait_notification(listen_check);
                // Silent for long: is anybody there?
                if (!notification || notification->channel == queue::queues_channel) {
                    co_await engine_.refresh_queues(session);
                } else {
                    heed(*notification);
                }
            }
        } catch (const db::Error& error) {
            trouble = error.what();
        }
        listening_ = false;
        listening_on_ = nullptr;
        engine_.set_listening(false);
        if (stopping_) break;
        log_once(
            listen_trouble_, Component::control, LogLevel::warn, "not listening, polling instead", {{"error", trouble}}
        );
        co_await listen_wakeup_.wait_for(jittered(retry));
        retry = std::min(retry * 2, longest_retry);
    }
}

void Control::heed(const db::Notification& notification) {
    if (notification.channel == queue::cancel_channel) {
        const bool ours = notification.payload == std::to_string(static_cast<std::int64_t>(worker_.load()));
        if (ours) beat_wakeup_.notify();  // the heartbeat reads what is asked
        return;
    }
    const bool served =
        self_.queues.empty() || std::ranges::find(self_.queues, notification.payload) != self_.queues.end();
    if (served) engine_.wake();
}

void Control::stop() {
    stopping_ = true;
    beat_wakeup_.notify();
    listen_wakeup_.notify();
    watch_wakeup_.notify();
    asio::post(executor_, [this] {
        if (listening_on_ != nullptr) listening_on_->interrupt();
    });
}

}  // namespace worker

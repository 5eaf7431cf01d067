#include "worker/startup.hpp"

#include "db/catalogue.hpp"
#include "db/connection.hpp"
#include "worker/database_log.hpp"
#include "worker/direct_connection.hpp"
#include "worker/exit_code.hpp"
#include "worker/logging.hpp"
#include "worker/version.hpp"
#include "worker/watchman.hpp"

#include <boost/asio/ip/host_name.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker {

namespace {

constexpr std::chrono::seconds patience = 30s;  // for a database that starts beside us

bool may_come_back(const db::Error& error) {
    return error.kind() != db::ErrorKind::usage && !error.is_login_refused();
}

// Until a session answers, however long the database takes to come up: a PgBouncer lends connections, and refuses their
// first statement, while the server behind it is away. Whether a pooler stands in front.
asio::awaitable<bool> wait_for_database(db::Pool& pool, const std::atomic<bool>& stopping) {
    const auto until = std::chrono::steady_clock::now() + patience;
    std::chrono::milliseconds pause = 100ms;
    asio::steady_timer timer(co_await asio::this_coro::executor);
    SayOnce trouble;
    for (;;) {
        std::optional<db::Error> failure;
        try {
            db::Session session = co_await pool.checkout();
            co_return co_await db::is_behind_pooler(session);
        } catch (const db::Error& error) {
            failure = error;
        }
        if (!may_come_back(*failure)) {
            throw StartRefused(
                exit_unreachable,
                std::string("the database refuses the login: ") + failure->what() +
                    "; check user and password of database.url (DATABASE_URL), or database.password_file"
            );
        }
        if (stopping || std::chrono::steady_clock::now() + pause > until) {
            throw StartRefused(
                exit_unreachable,
                std::string("the database cannot be reached: ") + failure->what() +
                    "; check database.url (DATABASE_URL) and that the server runs"
            );
        }
        log_once(trouble, Component::worker, LogLevel::warn, "waiting for the database", {{"error", failure->what()}});
        timer.expires_after(pause);
        co_await timer.async_wait(asio::use_awaitable);
        pause = std::min<std::chrono::milliseconds>(pause * 2, 2s);
    }
}

// What to do about a refusal that waiting does not end.
std::string_view way_out(const db::Error& error) {
    if (error.sqlstate() == "25006") {
        return "; this server takes no writes: name the primary in database.url (DATABASE_URL), or several hosts and "
               "target_session_attrs=read-write";
    }
    if (error.sqlstate() == "42501") {
        return "; the user of database.url lacks rights: grant it the role task_worker_app, to which migrations give "
               "them where it exists, or connect as the schema's owner";
    }
    return {};
}

asio::awaitable<void> migrate(const Config& config) {
    // A migration may take as long as it takes.
    db::ConnectionSettings settings = direct_connection(config.database);
    settings.statement_timeout = 0ms;
    const auto hooks = std::make_shared<const db::Hooks>(database_log(config.database));
    db::Session session(co_await db::Connection::open(co_await asio::this_coro::executor, std::move(settings), hooks));
    const auto on_step = [](const db::Migration& migration) {
        log(Component::worker, LogLevel::info, "migrating", {{"migration", migration.name}});
    };
    const auto on_wait = [](const db::Migration& migration, const db::Error& error) {
        log(Component::worker,
            LogLevel::warn,
            "a migration waits for a lock, it will be tried again",
            {{"migration", migration.name}, {"error", error.what()}});
    };
    co_await db::migrate_up(session, {}, on_step, {.on_wait = on_wait});
}

// A worker that did not start must not stay in the fleet's sum.
asio::awaitable<void> retire(db::Pool& pool, queue::WorkerId worker) {
    try {
        db::Session session = co_await pool.checkout();
        co_await queue::retire_worker(session, worker);
    } catch (const db::Error&) {
        // Its beat never moves: it will be declared dead.
    }
}

// A worker killed a moment ago still counts, and where nobody leads nobody would ever declare it dead. So a start that
// the budget refuses watches the others, until each has beaten or, for lease_timeout at most, was found dead.
asio::awaitable<db::Budget> wait_for_budget(
    db::Session& session, const Config& config, queue::WorkerId self, const std::atomic<bool>& stopping
) {
    const std::chrono::milliseconds lease = config.worker.lease_timeout;
    const auto until = std::chrono::steady_clock::now() + lease + 2s;
    Watchman watchman(lease, lease / 2);
    std::map<queue::WorkerId, std::int64_t> first_beats;
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (bool first = true;; first = false) {
        const db::Budget budget = co_await read_budget(session, config, self);
        if (budget.fits() || config.database.budget == BudgetMode::warn || stopping) co_return budget;
        const std::vector<queue::Worker> workers = co_await queue::read_workers(session);
        const auto now = std::chrono::steady_clock::now();
        std::vector<queue::SeenBeat> beats;
        bool all_beat = true;
        for (const queue::Worker& worker : workers) {
            if (worker.dead_at || worker.id == self) continue;
            beats.push_back({worker.id, worker.beat});
            const auto seen = first_beats.try_emplace(worker.id, worker.beat).first;
            all_beat = all_beat && seen->second != worker.beat;
        }
        if (all_beat || now > until) co_return budget;
        if (first)
            log(Component::worker, LogLevel::info, "over the connection budget: making sure that the other workers live"
            );
        const std::vector<queue::SeenBeat> silent = watchman.observe(beats, now);
        if (!silent.empty()) co_await queue::declare_dead(session, silent);
        timer.expires_after(std::min<std::chrono::milliseconds>(lease / 8, 1s));
        co_await timer.async_wait(asio::use_awaitable);
    }
}

}  // namespace

std::string pooler_trouble() {
    return "a connection pooler stands in front of the database: set database.pooler: transaction (DB_POOLER), and "
           "database.direct_url past it";
}

bool works_with(db::SchemaState state) {
    return state == db::SchemaState::current || state == db::SchemaState::ahead;
}

std::string schema_trouble(db::SchemaState state) {
    switch (state) {
        case db::SchemaState::current:
            return {};
        case db::SchemaState::missing:
            return "the database has no queue yet: run `task-worker migrate up` as the schema's owner";
        case db::SchemaState::older:
            return "the database's schema is older than this task-worker: run `task-worker migrate up` as the schema's "
                   "owner";
        case db::SchemaState::newer:
            return "the database's schema is newer than this task-worker: install the newer version, or take the "
                   "migrations back with it (`task-worker migrate down --to N`)";
        case db::SchemaState::ahead:
            return "the database's schema is newer than this task-worker, which works with it: install the newer "
                   "version";
    }
    return {};
}

queue::NewWorker describe_self(const Config& config, const std::vector<std::string>& kinds) {
    queue::NewWorker self;
    self.connections = own_connections(config.database);
    self.slots = config.worker.concurrency;
    self.pid = static_cast<int>(::getpid());
    boost::system::error_code error;
    self.host = asio::ip::host_name(error);
    self.version = version;
    self.kinds = kinds;
    self.queues = config.worker.queues;
    return self;
}

asio::awaitable<db::Budget> read_budget(db::Session& session, const Config& config, queue::WorkerId self) {
    db::BudgetRequest request;
    for (const queue::Worker& worker : co_await queue::read_workers(session)) {
        if (worker.dead_at) continue;
        request.workers.push_back(
            {worker.host + " pid " + std::to_string(worker.pid), worker.connections, worker.id == self}
        );
    }
    const db::ServerLimits limits = co_await db::read_server_limits(session);
    request.other_connections = config.database.other_connections;
    request.reserved_connections = limits.reserved_connections;
    request.server_max_connections = limits.max_connections;
    request.configured_max = config.database.max_connections;
    request.is_pooled = config.database.connection.pooler != db::Pooler::none;
    co_return db::add_up(request);
}

asio::awaitable<queue::WorkerId> start_up(
    db::Pool& pool, const Config& config, const queue::NewWorker& self, const std::atomic<bool>& stopping
) {
    std::optional<db::Error> failure;
    std::optional<queue::WorkerId> registered;
    try {
        const bool is_pooled = co_await wait_for_database(pool, stopping);
        if (is_pooled && config.database.connection.pooler == db::Pooler::none)
            log(Component::worker, LogLevel::warn, pooler_trouble());
        if (config.migrate_on_start) co_await migrate(config);
        db::Session session = co_await pool.checkout();
        const db::SchemaState state = co_await db::read_schema_state(session);
        if (!works_with(state)) throw StartRefused(exit_schema, schema_trouble(state));
        if (state == db::SchemaState::ahead) log(Component::worker, LogLevel::warn, schema_trouble(state));
        registered = co_await queue::register_worker(session, self);
        const db::Budget budget = co_await wait_for_budget(session, config, *registered, stopping);
        if (budget.fits()) co_return *registered;
        if (config.database.budget == BudgetMode::warn) {
            log(Component::worker, LogLevel::warn, db::verdict(budget));
            co_return *registered;
        }
        co_await queue::retire_worker(session, *registered);
        throw StartRefused(exit_budget, "the connection budget is refused\n" + db::to_text(budget));
    } catch (const db::Error& error) {
        failure = error;
    }
    if (registered) co_await retire(pool, *registered);
    throw StartRefused(
        failure->is_unavailable() || failure->is_login_refused() ? exit_unreachable : exit_failed,
        std::string("the start failed: ").append(failure->what()).append(way_out(*failure))
    );
}

}  // namespace worker

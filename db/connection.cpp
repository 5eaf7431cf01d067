#include "db/connection.hpp"

#include "db/connect.hpp"
#include "db/result_error.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <utility>

namespace asio = boost::asio;

namespace db {

namespace {

const Statement commit_statement{"commit", "commit"};
const Statement rollback_statement{"rollback", "rollback"};
const Statement script_statement{"script", ""};

const char* begin_text(Isolation isolation) {
    switch (isolation) {
        case Isolation::server_default:
            break;
        case Isolation::repeatable_read:
            return "begin isolation level repeatable read";
        case Isolation::serializable:
            return "begin isolation level serializable";
    }
    return "begin";
}

// Until a connection that was started is open. Of several hosts each has the whole time limit, as where libpq blocks.
// Throws: db::Error, (deadline) when a host does not answer in time.
asio::awaitable<void> poll(PGconn* connection, SocketWait& wait, std::chrono::milliseconds limit) {
    if (PQstatus(connection) == CONNECTION_BAD) throw connect_error(connection);
    std::string target = describe_target(connection);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        wait.assign(PQsocket(connection));
        co_await wait.wait(next == PGRES_POLLING_READING ? SocketWait::Event::readable : SocketWait::Event::writable);
        next = PQconnectPoll(connection);
        if (next == PGRES_POLLING_FAILED) throw connect_error(connection);
        if (std::string other = describe_target(connection); other != target) {
            target = std::move(other);
            wait.arm(std::chrono::steady_clock::now() + limit);
        }
    }
}

}  // namespace

void Connection::Clearer::operator()(const PGresult* result) const {
    PQclear(const_cast<PGresult*>(result));
}

Connection::Connection(
    const asio::any_io_executor& executor, ConnectionSettings settings, std::shared_ptr<const Hooks> hooks
)
    : settings_(std::move(settings)), hooks_(std::move(hooks)), wait_(executor) {}

Connection::~Connection() {
    wait_.release();
    if (cancel_) cancel_->close_after(std::move(pg_));
}

asio::awaitable<std::unique_ptr<Connection>> Connection::open(
    asio::any_io_executor executor, ConnectionSettings settings, std::shared_ptr<const Hooks> hooks
) {
    std::unique_ptr<Connection> connection(
        new Connection(executor, std::move(settings), std::move(hooks))  // the constructor is private
    );
    co_await connection->connect();
    co_return connection;
}

asio::awaitable<void> Connection::connect() {
    ConnectTarget target = co_await ConnectTarget::resolve(wait_.executor(), settings_);
    wait_.arm(target.deadline());
    std::optional<Error> silent;  // the first host that did not answer in time
    for (bool is_open = false; !is_open;) {
        pg_.reset(target.start());
        PQsetNoticeReceiver(
            pg_.get(),
            [](void* hooks, const PGresult* notice) {
                const auto& on_notice = static_cast<const Hooks*>(hooks)->on_notice;
                if (!on_notice) return;
                on_notice(field_of(notice, PG_DIAG_SEVERITY_NONLOCALIZED), field_of(notice, PG_DIAG_MESSAGE_PRIMARY));
            },
            const_cast<Hooks*>(hooks_ ? hooks_.get() : &no_hooks())
        );
        try {
            co_await poll(pg_.get(), wait_, settings_.connect_timeout);
            is_open = true;
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::deadline) throw;
            if (!silent) {
                silent.emplace(
                    ErrorKind::connection,
                    "no connection to " + describe_target(pg_.get()) + " within " +
                        std::to_string(settings_.connect_timeout.count()) + " ms"
                );
            }
            if (!target.leave_out(pg_.get())) throw *silent;
            wait_.arm(Clock::now() + settings_.connect_timeout);
        }
    }
    wait_.assign(PQsocket(pg_.get()));
    wait_.disarm();
    PQsetnonblocking(pg_.get(), 1);
    enter_pipeline();
    opened_at_ = answered_at_ = Clock::now();
}

void Connection::enter_pipeline() {
    if (PQpipelineStatus(pg_.get()) == PQ_PIPELINE_OFF && PQenterPipelineMode(pg_.get()) == 0)
        lose("entering a pipeline");
}

void Connection::leave_pipeline() {
    if (PQpipelineStatus(pg_.get()) != PQ_PIPELINE_OFF && PQexitPipelineMode(pg_.get()) == 0)
        lose("leaving a pipeline");
}

void Connection::begin(Isolation isolation) {
    if (in_transaction()) throw Error(ErrorKind::usage, "begin inside a transaction");
    watched_.reset();
    begin_sql_ = begin_text(isolation);
    begin_pending_ = true;
}

bool Connection::in_transaction() const {
    return begin_pending_ || PQtransactionStatus(pg_.get()) != PQTRANS_IDLE;
}

bool Connection::is_usable() const {
    return !broken_ && pg_ && PQstatus(pg_.get()) == CONNECTION_OK && expected_.empty() &&
           PQtransactionStatus(pg_.get()) != PQTRANS_ACTIVE;
}

bool Connection::is_lost() const {
    return lost_ || PQstatus(pg_.get()) == CONNECTION_BAD;
}

bool Connection::has_unread_input() const {
    pollfd descriptor{PQsocket(pg_.get()), POLLIN, 0};
    return ::poll(&descriptor, 1, 0) != 0;
}

std::int64_t Connection::backend_pid() const {
    return PQbackendPID(pg_.get());
}
int Connection::server_version() const {
    return PQserverVersion(pg_.get());
}

TransactionWatch Connection::watch_transaction() {
    if (!in_transaction()) throw Error(ErrorKind::usage, "there is no transaction to watch");
    if (!watched_) watched_ = std::make_shared<std::atomic<TransactionEnd>>(TransactionEnd::unknown);
    return watched_;
}

asio::awaitable<void> Connection::commit() {
    if (begin_pending_) {  // nothing was sent: there is nothing to commit
        begin_pending_ = false;
        co_return;
    }
    const auto watched = std::exchange(watched_, {});
    const auto tell = [&](TransactionEnd end) {
        if (watched) *watched = end;
    };
    send(commit_statement, {});
    std::vector<Rows> answers;
    try {
        answers = co_await exchange();
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::server && !error.is_connection_lost()) tell(TransactionEnd::rolled_back);
        throw;
    }
    if (answers.back().command() == "ROLLBACK") {
        tell(TransactionEnd::rolled_back);
        throw Error(ErrorKind::usage, "commit of a transaction that had failed: it was rolled back");
    }
    tell(TransactionEnd::committed);
}

asio::awaitable<void> Connection::rollback(std::chrono::milliseconds limit) {
    begin_pending_ = false;
    if (!is_usable() || PQtransactionStatus(pg_.get()) == PQTRANS_IDLE) co_return;
    packet_limited_ = true;  // an aborted transaction refuses set_config
    const auto watched = std::exchange(watched_, {});
    send(rollback_statement, {});
    co_await exchange(limit);
    if (watched) *watched = TransactionEnd::rolled_back;
}

asio::awaitable<void> Connection::run_script(std::string_view sql, std::chrono::milliseconds timeout) {
    std::string text;
    if (begin_pending_) text += std::string(begin_sql_) + ";\n";
    begin_pending_ = false;
    text += sql;
    leave_pipeline();
    arm(timeout.count() == 0 ? settings_.longest_call : timeout + settings_.grace);
    const auto started = Clock::now();
    if (PQsendQuery(pg_.get(), text.c_str()) == 0) lose("sending");
    std::optional<Error> failure;
    std::exception_ptr lost;
    try {
        co_await flush();
        while (const auto result = co_await next_result()) {
            if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR && !failure) {
                failure.emplace(server_message(result.get(), text), std::string_view{});
            }
        }
        wait_.disarm();
    } catch (const Error&) {
        lost = std::current_exception();
    }
    if (lost) give_up(lost);
    enter_pipeline();
    answered_at_ = Clock::now();
    report(script_statement, answered_at_ - started, failure ? &*failure : nullptr);
    if (failure) throw *failure;
}

asio::awaitable<std::optional<Notification>> Connection::wait_notification(std::chrono::milliseconds limit) {
    wait_.disarm();
    if (limit.count() > 0) wait_.arm(Clock::now() + limit);
    for (;;) {
        if (PGnotify* notify = PQnotifies(pg_.get())) {
            Notification notification{notify->relname, notify->extra};
            PQfreemem(notify);
            co_return notification;
        }
        try {
            co_await wait_.wait(SocketWait::Event::readable);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::deadline) throw;
            co_return std::nullopt;
        }
        if (PQconsumeInput(pg_.get()) == 0) lose("waiting for a notification");
    }
}

}  // namespace db

#include "db/connection.hpp"

#include "db/connect.hpp"
#include "db/result_error.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <libpq-fe.h>
#include <poll.h>

#include <array>

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

// PQcancel opens a connection of its own and blocks: never on the threads that serve jobs.
asio::thread_pool& cancel_thread() {
    static asio::thread_pool& pool = *new asio::thread_pool(1);  // never joined: a cancel may hang at exit
    return pool;
}

}  // namespace

void Connection::Closer::operator()(PGconn* connection) const {
    PQfinish(connection);
}

Connection::Connection(asio::any_io_executor executor, ConnectionSettings settings, std::shared_ptr<const Hooks> hooks)
    : settings_(std::move(settings)), hooks_(std::move(hooks)), wait_(std::move(executor)) {}

Connection::~Connection() {
    wait_.release();
}

asio::awaitable<std::unique_ptr<Connection>> Connection::open(
    asio::any_io_executor executor, ConnectionSettings settings, std::shared_ptr<const Hooks> hooks
) {
    std::unique_ptr<Connection> connection(
        new Connection(std::move(executor), std::move(settings), std::move(hooks))  // the constructor is private
    );
    co_await connection->connect();
    co_return connection;
}

asio::awaitable<void> Connection::connect() {
    wait_.arm(Clock::now() + settings_.connect_timeout);
    pg_.reset(co_await start_connect(wait_.executor(), settings_));
    if (PQstatus(pg_.get()) == CONNECTION_BAD) throw connect_error(pg_.get());
    PQsetNoticeReceiver(
        pg_.get(),
        [](void* hooks, const PGresult* notice) {
            const auto& on_notice = static_cast<const Hooks*>(hooks)->on_notice;
            if (on_notice) on_notice(field_of(notice, PG_DIAG_SEVERITY), field_of(notice, PG_DIAG_MESSAGE_PRIMARY));
        },
        const_cast<Hooks*>(hooks_ ? hooks_.get() : &no_hooks())
    );
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        wait_.assign(PQsocket(pg_.get()));
        try {
            co_await wait_.wait(
                next == PGRES_POLLING_READING ? SocketWait::Event::readable : SocketWait::Event::writable
            );
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::deadline) throw;
            throw Error(
                ErrorKind::connection,
                "no connection to " + describe_target(pg_.get()) + " within " +
                    std::to_string(settings_.connect_timeout.count()) + " ms"
            );
        }
        next = PQconnectPoll(pg_.get());
        if (next == PGRES_POLLING_FAILED) throw connect_error(pg_.get());
    }
    wait_.assign(PQsocket(pg_.get()));
    wait_.disarm();
    PQsetnonblocking(pg_.get(), 1);
    enter_pipeline();
    opened_at_ = Clock::now();
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
    isolation_ = isolation;
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

void Connection::lose(std::string_view doing) {
    broken_ = true;
    lost_ = true;
    std::string reason = PQerrorMessage(pg_.get());
    while (!reason.empty() && reason.back() == '\n') reason.pop_back();
    throw Error(ErrorKind::connection, "connection lost while " + std::string(doing) + ": " + reason);
}

void Connection::give_up(const std::exception_ptr& lost) {
    broken_ = true;
    cancel_on_server();
    std::rethrow_exception(lost);
}

void Connection::queue_command(const char* sql) {
    if (PQsendQueryParams(pg_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 1) == 0) lose("sending");
    expected_.push_back({Expected::Kind::control});
}

void Connection::queue_begin() {
    if (!begin_pending_) return;
    begin_pending_ = false;
    queue_command(begin_text(isolation_));
}

// Behind a pooler the connection's own options are refused and SET would leak: the limit travels in each transaction.
void Connection::queue_statement_timeout() {
    if (settings_.pooler == Pooler::none || settings_.statement_timeout.count() == 0 || packet_limited_) return;
    const std::string sql =
        "select set_config('statement_timeout', '" + std::to_string(settings_.statement_timeout.count()) + "', true)";
    packet_limited_ = true;
    queue_command(sql.c_str());
}

void Connection::send(const Statement& statement, const Parameters& parameters) {
    if (broken_) throw Error(ErrorKind::connection, "the connection was lost before");
    queue_begin();
    queue_statement_timeout();
    const Parameters::View view = parameters.view();
    int sent = 0;
    if (settings_.pooler == Pooler::transaction || statement.name.empty()) {
        const std::string sql(statement.sql);
        sent = PQsendQueryParams(
            pg_.get(),
            sql.c_str(),
            parameters.size(),
            nullptr,
            view.values.data(),
            view.lengths.data(),
            view.formats.data(),
            1
        );
    } else {
        const std::string name(statement.name);
        if (!prepared_.contains(statement.name)) {
            const std::string sql(statement.sql);
            if (PQsendPrepare(pg_.get(), name.c_str(), sql.c_str(), 0, nullptr) == 0) lose("preparing");
            expected_.push_back({Expected::Kind::prepare, &statement});
            prepared_.insert(statement.name);  // a second use in this packet must not prepare again
        }
        sent = PQsendQueryPrepared(
            pg_.get(), name.c_str(), parameters.size(), view.values.data(), view.lengths.data(), view.formats.data(), 1
        );
    }
    if (sent == 0) lose("sending");
    expected_.push_back({Expected::Kind::statement, &statement});
}

void Connection::arm(std::chrono::milliseconds limit) {
    if (limit.count() == 0 && settings_.statement_timeout.count() == 0) {
        wait_.disarm();
        return;
    }
    if (limit.count() == 0) limit = settings_.statement_timeout + settings_.grace;
    wait_.arm(Clock::now() + limit);
}

asio::awaitable<void> Connection::flush() {
    for (;;) {
        const int state = PQflush(pg_.get());
        if (state == 0) co_return;
        if (state < 0) lose("sending");
        // Reading as well: a server that cannot send its answers stops reading our statements.
        co_await wait_.wait(SocketWait::Event::either);
        if (PQconsumeInput(pg_.get()) == 0) lose("sending");
    }
}

asio::awaitable<std::shared_ptr<const PGresult>> Connection::next_result() {
    while (PQisBusy(pg_.get()) != 0) {
        co_await wait_.wait(SocketWait::Event::readable);
        // A dead connection first hands over the server's last words; the error surfaces with them.
        if (PQconsumeInput(pg_.get()) == 0 && PQisBusy(pg_.get()) != 0) lose("waiting for an answer");
    }
    co_return std::shared_ptr<const PGresult>(PQgetResult(pg_.get()), [](const PGresult* result) {
        PQclear(const_cast<PGresult*>(result));
    });
}

asio::awaitable<std::vector<Rows>> Connection::exchange(std::chrono::milliseconds limit) {
    std::vector<Rows> answers;
    std::optional<Error> failure;
    const Statement* failed = nullptr;
    const auto started = Clock::now();
    const std::vector<Expected> expected = std::move(expected_);
    expected_.clear();
    const auto fail = [&](const PGresult* result, const Expected& of) {
        if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED) return;
        if (failure) return;
        failure.emplace(server_message(result), of.statement == nullptr ? std::string_view{} : of.statement->name);
        failed = of.statement;
    };
    std::exception_ptr lost;
    try {
        if (broken_) throw Error(ErrorKind::connection, "the connection was lost before");
        arm(limit);
        if (PQpipelineSync(pg_.get()) == 0) lose("sending");
        co_await flush();
        for (const Expected& one : expected) {
            bool aborted = false;
            while (const auto result = co_await next_result()) {
                const ExecStatusType status = PQresultStatus(result.get());
                if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
                    if (one.kind == Expected::Kind::statement) answers.emplace_back(result);
                    continue;
                }
                aborted = true;
                fail(result.get(), one);
                if (PQstatus(pg_.get()) == CONNECTION_BAD) lose("waiting for an answer");
            }
            if (aborted && one.kind == Expected::Kind::prepare) prepared_.erase(one.statement->name);
        }
        // The sync: an error in its place is a commit that failed (a deferred constraint).
        for (;;) {
            const auto result = co_await next_result();
            if (!result) {
                if (PQstatus(pg_.get()) == CONNECTION_BAD) lose("waiting for an answer");
                continue;
            }
            if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) break;
            fail(result.get(), {});
        }
        wait_.disarm();
    } catch (const Error&) {
        lost = std::current_exception();
    }
    if (lost) {
        // What the server said last explains more than the broken socket (57P01: terminated by an administrator).
        if (failure && failure->is_connection_lost()) lost = std::make_exception_ptr(*failure);
        try {
            give_up(lost);
        } catch (const Error& error) {
            for (const Expected& one : expected) {
                if (one.kind == Expected::Kind::statement) report(*one.statement, started, &error);
            }
            throw;
        }
    }
    if (PQtransactionStatus(pg_.get()) == PQTRANS_IDLE) packet_limited_ = false;
    if (failure) {
        if (failure->is_connection_lost()) broken_ = lost_ = true;
        // The server and this side disagree about what is prepared, or a plan is of an older schema: a new connection
        // prepares everything anew.
        if (failure->sqlstate() == "26000" || failure->sqlstate() == "42P05" || failure->sqlstate() == "0A000") {
            broken_ = true;
        }
        if (failed != nullptr) report(*failed, started, &*failure);
        throw *failure;
    }
    for (const Expected& one : expected) {
        if (one.kind == Expected::Kind::statement) report(*one.statement, started, nullptr);
    }
    co_return answers;
}

void Connection::report(const Statement& statement, Clock::time_point started, const Error* error) const {
    if (hooks_ && hooks_->on_statement) hooks_->on_statement(statement.name, Clock::now() - started, error);
}

void Connection::cancel_on_server() {
    if (PQstatus(pg_.get()) != CONNECTION_OK) return;
    std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> cancel(PQgetCancel(pg_.get()), &PQfreeCancel);
    if (!cancel) return;
    asio::post(cancel_thread(), [cancel = std::move(cancel)] {
        std::array<char, 256> error{};
        PQcancel(cancel.get(), error.data(), static_cast<int>(error.size()));
    });
}

asio::awaitable<void> Connection::commit() {
    if (begin_pending_) {  // nothing was sent: there is nothing to commit
        begin_pending_ = false;
        co_return;
    }
    send(commit_statement, {});
    const std::vector<Rows> answers = co_await exchange();
    if (answers.back().command() == "ROLLBACK") {
        throw Error(ErrorKind::usage, "commit of a transaction that had failed: it was rolled back");
    }
}

asio::awaitable<void> Connection::rollback(std::chrono::milliseconds limit) {
    begin_pending_ = false;
    if (!is_usable() || PQtransactionStatus(pg_.get()) == PQTRANS_IDLE) co_return;
    packet_limited_ = true;  // an aborted transaction refuses set_config
    send(rollback_statement, {});
    co_await exchange(limit);
}

asio::awaitable<void> Connection::run_script(std::string_view sql, std::chrono::milliseconds timeout) {
    std::string text;
    if (begin_pending_) text += std::string(begin_text(isolation_)) + ";\n";
    begin_pending_ = false;
    text += sql;
    leave_pipeline();
    arm(timeout.count() == 0 ? std::chrono::hours(24) : timeout + settings_.grace);
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
    report(script_statement, started, failure ? &*failure : nullptr);
    if (failure) throw *failure;
}

asio::awaitable<Notification> Connection::wait_notification() {
    wait_.disarm();
    for (;;) {
        if (PGnotify* notify = PQnotifies(pg_.get())) {
            Notification notification{notify->relname, notify->extra};
            PQfreemem(notify);
            co_return notification;
        }
        co_await wait_.wait(SocketWait::Event::readable);
        if (PQconsumeInput(pg_.get()) == 0) lose("waiting for a notification");
    }
}

}  // namespace db

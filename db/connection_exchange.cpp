// Packets: statements go out together, and their whole answer is read.
#include "db/connection.hpp"
#include "db/result_error.hpp"

#include <libpq-fe.h>

namespace asio = boost::asio;

namespace db {

void Connection::lose(std::string_view doing) {
    broken_ = true;
    lost_ = true;
    std::string reason = PQerrorMessage(pg_.get());
    while (!reason.empty() && reason.back() == '\n') reason.pop_back();
    throw Error(ErrorKind::connection, "connection lost while " + std::string(doing) + ": " + reason);
}

void Connection::give_up(const std::exception_ptr& lost) {
    broken_ = true;
    if (!cancel_) cancel_ = Cancel::send(pg_.get());
    std::rethrow_exception(lost);
}

void Connection::queue_command(const char* sql) {
    if (PQsendQueryParams(pg_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 1) == 0) lose("sending");
    expected_.push_back({Expected::Kind::control});
}

void Connection::queue_begin() {
    if (!begin_pending_) return;
    begin_pending_ = false;
    queue_command(begin_sql_);
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
    parameters.fill(view_);
    const int count = parameters.size();
    const char* const* values = view_.values.data();
    const int* lengths = view_.lengths.data();
    const int* formats = view_.formats.data();
    const char* sql = statement.sql.data();
    const char* name = statement.name.data();
    int sent = 0;
    if (settings_.pooler == Pooler::transaction || statement.name.empty()) {
        sent = PQsendQueryParams(pg_.get(), sql, count, nullptr, values, lengths, formats, 1);
    } else {
        if (prepared_.insert(statement.name).second) {  // a second use in this packet must not prepare again
            if (PQsendPrepare(pg_.get(), name, sql, 0, nullptr) == 0) lose("preparing");
            expected_.push_back({Expected::Kind::prepare, &statement});
        }
        sent = PQsendQueryPrepared(pg_.get(), name, count, values, lengths, formats, 1);
    }
    if (sent == 0) lose("sending");
    expected_.push_back({Expected::Kind::statement, &statement});
}

void Connection::arm(std::chrono::milliseconds limit) {
    if (limit.count() == 0) {
        const bool limited = settings_.statement_timeout.count() > 0;
        limit = limited ? settings_.statement_timeout + settings_.grace : settings_.longest_call;
    }
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

void Connection::consume() {
    // A dead connection first hands over the server's last words; the error surfaces with them.
    if (PQconsumeInput(pg_.get()) == 0 && PQisBusy(pg_.get()) != 0) lose("waiting for an answer");
}

asio::awaitable<Connection::Result> Connection::next_result() {
    while (PQisBusy(pg_.get()) != 0) {
        co_await wait_.wait(SocketWait::Event::readable);
        consume();
    }
    co_return Result(PQgetResult(pg_.get()));
}

asio::awaitable<std::vector<Rows>> Connection::exchange(std::chrono::milliseconds limit) {
    std::vector<Rows> answers;
    std::optional<Error> failure;
    const Statement* failed = nullptr;
    const auto started = Clock::now();
    std::swap(reading_, expected_);
    expected_.clear();
    const std::vector<Expected>& expected = reading_;
    answers.reserve(expected.size());
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
        if (PQflush(pg_.get()) != 0) co_await flush();
        // Each command's answers up to a null, then the sync. An error in the sync's place is a commit that failed (a
        // deferred constraint). The waiting stands here, not in a coroutine of its own: this is the hot path.
        std::size_t place = 0;
        bool aborted = false;
        for (;;) {
            while (PQisBusy(pg_.get()) != 0) {
                co_await wait_.wait(SocketWait::Event::readable);
                consume();
            }
            Result result(PQgetResult(pg_.get()));
            const bool at_sync = place == expected.size();
            if (!result) {
                if (at_sync && PQstatus(pg_.get()) == CONNECTION_BAD) lose("waiting for an answer");
                if (at_sync) continue;
                const Expected& one = expected[place];
                if (aborted && one.kind == Expected::Kind::prepare) prepared_.erase(one.statement->name);
                aborted = false;
                ++place;
                continue;
            }
            const ExecStatusType status = PQresultStatus(result.get());
            if (at_sync) {
                if (status == PGRES_PIPELINE_SYNC) break;
                fail(result.get(), {});
            } else if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
                if (expected[place].kind == Expected::Kind::statement) answers.emplace_back(std::move(result));
            } else {
                aborted = true;
                fail(result.get(), expected[place]);
                if (PQstatus(pg_.get()) == CONNECTION_BAD) lose("waiting for an answer");
            }
        }
        wait_.disarm();
        answered_at_ = Clock::now();
    } catch (const Error&) {
        lost = std::current_exception();
    }
    if (lost) {
        // The server itself would have ended the statement before: it is gone, or the way to it.
        if (wait_.has_expired() && limit.count() == 0 && settings_.statement_timeout.count() > 0) lost_ = true;
        // What the server said last explains more than the broken socket (57P01: terminated by an administrator).
        if (failure && failure->is_connection_lost()) lost = std::make_exception_ptr(*failure);
        try {
            give_up(lost);
        } catch (const Error& error) {
            for (const Expected& one : expected) {
                if (one.kind == Expected::Kind::statement) report(*one.statement, Clock::now() - started, &error);
            }
            throw;
        }
    }
    if (PQtransactionStatus(pg_.get()) == PQTRANS_IDLE) {
        packet_limited_ = false;
        watched_.reset();
    }
    if (failure) {
        if (failure->is_connection_lost()) broken_ = lost_ = true;
        // A server that takes no writes: after a failover a new connection may lead to the one that does.
        if (failure->sqlstate() == "25006") broken_ = true;
        // The server and this side disagree about what is prepared, or a plan is of an older schema: a new connection
        // prepares everything anew.
        if (failure->sqlstate() == "26000" || failure->sqlstate() == "42P05" || failure->sqlstate() == "0A000") {
            broken_ = true;
        }
        if (failed != nullptr) report(*failed, answered_at_ - started, &*failure);
        throw *failure;
    }
    for (const Expected& one : expected) {
        if (one.kind == Expected::Kind::statement) report(*one.statement, answered_at_ - started, nullptr);
    }
    co_return answers;
}

void Connection::report(const Statement& statement, std::chrono::nanoseconds took, const Error* error) const {
    if (hooks_ && hooks_->on_statement) hooks_->on_statement(statement.name, took, error);
}

}  // namespace db

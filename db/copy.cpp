// COPY ... FROM STDIN on a connection, with flow control.
#include "db/connection.hpp"
#include "db/result_error.hpp"

#include <libpq-fe.h>

namespace asio = boost::asio;

namespace db {

namespace {

constexpr std::size_t piece = std::size_t{64} * 1024;  // libpq's buffer grows without limit, so flush in pieces

// The server counts a whole COPY as one statement, however well it goes on: its limit is put off meanwhile, and stands
// again for what follows in the transaction. Each piece has our own deadline.
std::string without_limit(std::string_view sql, std::chrono::milliseconds statement_timeout) {
    if (statement_timeout.count() == 0) return std::string(sql);
    return "set local statement_timeout = 0;\n" + std::string(sql) +
           ";\nset local statement_timeout = " + std::to_string(statement_timeout.count());
}

}  // namespace

asio::awaitable<std::int64_t> Connection::copy_in(
    const Statement& statement, const std::function<bool(std::string& buffer)>& fill
) {
    std::string sql = without_limit(statement.sql, settings_.statement_timeout);
    if (begin_pending_) sql = std::string(begin_sql_) + ";\n" + sql;
    begin_pending_ = false;
    leave_pipeline();
    const auto started = Clock::now();
    std::exception_ptr stopped;  // from `fill`
    std::exception_ptr lost;
    std::optional<Error> failure;
    std::int64_t rows = 0;
    try {
        arm({});
        if (PQsendQuery(pg_.get(), sql.c_str()) == 0) lose("sending");
        co_await flush();
        bool copying = false;
        while (!copying && !failure) {
            const auto result = co_await next_result();
            if (!result) break;
            copying = PQresultStatus(result.get()) == PGRES_COPY_IN;
            if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) {
                failure.emplace(server_message(result.get()), statement.name);
            }
        }
        std::string buffer;
        while (copying && !stopped) {
            bool more = false;
            try {
                more = fill(buffer);
            } catch (...) {
                stopped = std::current_exception();
                break;
            }
            if (buffer.size() >= piece || (!more && !buffer.empty())) {
                arm({});
                if (PQputCopyData(pg_.get(), buffer.data(), static_cast<int>(buffer.size())) < 0) lose("copying");
                buffer.clear();
                co_await flush();
            }
            if (!more) break;
        }
        if (copying) {
            arm({});
            if (PQputCopyEnd(pg_.get(), stopped ? "stopped by the sender" : nullptr) < 0) lose("copying");
            co_await flush();
        }
        while (auto result = co_await next_result()) {
            if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR && !failure) {
                failure.emplace(server_message(result.get()), statement.name);
            }
            rows += Rows(std::move(result)).affected();  // none of the settings
        }
        wait_.disarm();
    } catch (const Error&) {
        lost = std::current_exception();
    }
    if (lost) give_up(lost);
    enter_pipeline();
    report(statement, Clock::now() - started, failure ? &*failure : nullptr);
    if (stopped) std::rethrow_exception(stopped);
    if (failure) throw *failure;
    co_return rows;
}

}  // namespace db

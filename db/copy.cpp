// COPY ... FROM STDIN on a connection, with flow control.
#include "db/connection.hpp"
#include "db/result_error.hpp"

#include <libpq-fe.h>

namespace asio = boost::asio;

namespace db {

namespace {
constexpr std::size_t piece = std::size_t{64} * 1024;  // libpq's buffer grows without limit, so flush in pieces
}

asio::awaitable<std::int64_t> Connection::copy_in(
    const Statement& statement, const std::function<bool(std::string& buffer)>& fill
) {
    if (begin_pending_) {
        queue_begin();
        co_await exchange();
    }
    leave_pipeline();
    const auto started = Clock::now();
    const std::string sql(statement.sql);
    std::exception_ptr stopped;  // from `fill`
    std::exception_ptr lost;
    std::optional<Error> failure;
    std::int64_t rows = 0;
    try {
        arm({});
        if (PQsendQuery(pg_.get(), sql.c_str()) == 0) lose("sending");
        co_await flush();
        bool copying = false;
        {
            const auto result = co_await next_result();
            copying = result && PQresultStatus(result.get()) == PGRES_COPY_IN;
            if (result && PQresultStatus(result.get()) == PGRES_FATAL_ERROR) {
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
            const ExecStatusType status = PQresultStatus(result.get());
            if (status == PGRES_COMMAND_OK) rows = Rows(std::move(result)).affected();
            if (status == PGRES_FATAL_ERROR && !failure) failure.emplace(server_message(result.get()), statement.name);
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

#include "db/catalogue.hpp"

#include "db/connection.hpp"
#include "db/error.hpp"

#include <cstdint>

namespace asio = boost::asio;

namespace db {

namespace {

// reserved_connections exists from PostgreSQL 16 on.
const Statement read_server_limits_sql{"read_server_limits", R"sql(
    select current_setting('max_connections')::integer,
           current_setting('superuser_reserved_connections')::integer
               + coalesce(current_setting('reserved_connections', true)::integer, 0)
)sql"};

const Statement read_backend_pid_sql{"read_backend_pid", R"sql(
    select pg_backend_pid()
)sql"};

}  // namespace

asio::awaitable<ServerLimits> read_server_limits(Session& session) {
    const Rows rows = co_await session.execute(read_server_limits_sql);
    co_return ServerLimits{rows.front().get<int>(0), rows.front().get<int>(1)};
}

asio::awaitable<bool> is_behind_pooler(Session& session) {
    try {
        const Rows rows = co_await session.execute(read_backend_pid_sql);
        co_return rows.front().get<std::int64_t>(0) != session.connection().backend_pid();
    } catch (const Error& error) {
        if (error.sqlstate() == "42P05" || error.sqlstate() == "26000") co_return true;
        throw;
    }
}

}  // namespace db

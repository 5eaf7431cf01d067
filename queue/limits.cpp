#include "queue/limits.hpp"

#include "queue/statements.hpp"

namespace asio = boost::asio;

namespace queue {

const db::Statement set_limits_sql{"set_limits", R"sql(
    update task_queue.limits l
    set value = wanted.value, updated_at = now()
    from (values ('args', $1::bigint), ('retention.completed', $2::bigint), ('retention.cancelled', $3::bigint))
        wanted (name, value)
    where l.name = wanted.name and l.value <> wanted.value
)sql"};

asio::awaitable<void> set_limits(db::Session& session, Limits limits) {
    co_await session.execute(
        set_limits_sql,
        static_cast<std::int64_t>(limits.args),
        std::int64_t{limits.keep_completed.count()},
        std::int64_t{limits.keep_cancelled.count()}
    );
}

const db::Statement read_args_limit_sql{"read_args_limit", "select value from task_queue.limits where name = 'args'"};

asio::awaitable<std::size_t> read_args_limit(db::Session& session) {
    const db::Rows rows = co_await session.execute(read_args_limit_sql);
    co_return rows.front().get<std::size_t>(0);
}

}  // namespace queue

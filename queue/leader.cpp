#include "queue/leader.hpp"

#include "queue/statements.hpp"

namespace queue {

// clock_timestamp(), because the statement may have waited for another candidate's.
const db::Statement take_leadership_sql{"take_leadership", R"sql(
    insert into task_queue.leaders as l (worker_id, expires_at)
    select id, clock_timestamp() + make_interval(secs => $2::float8)
    from task_queue.workers
    where id = $1::bigint and dead_at is null
    on conflict (singleton) do update
    set worker_id = excluded.worker_id, expires_at = clock_timestamp() + make_interval(secs => $2::float8),
        elected_at = case when l.worker_id = excluded.worker_id then l.elected_at else clock_timestamp() end,
        updated_at = clock_timestamp()
    where l.worker_id = excluded.worker_id or l.expires_at < clock_timestamp()
    returning worker_id
)sql"};

boost::asio::awaitable<bool> take_leadership(db::Session& session, WorkerId worker, std::chrono::milliseconds lease) {
    const double seconds = std::chrono::duration<double>(lease).count();
    const db::Rows rows = co_await session.execute(take_leadership_sql, worker, seconds);
    co_return !rows.empty();
}

const db::Statement yield_leadership_sql{"yield_leadership", R"sql(
    delete from task_queue.leaders where worker_id = $1::bigint
)sql"};

boost::asio::awaitable<void> yield_leadership(db::Session& session, WorkerId worker) {
    co_await session.execute(yield_leadership_sql, worker);
}

}  // namespace queue

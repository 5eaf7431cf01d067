#include "queue/failures.hpp"

#include "queue/statements.hpp"

namespace asio = boost::asio;

namespace queue {

// Indexes: ix_dead_jobs_died_at, ix_bundles_run_at. A job that failed is a single, whose row's id is its own and 64.
const db::Statement list_recent_failures_sql{"list_recent_failures", R"sql(
    with dead as (
        select d.id, d.kind_id, d.queue_id, d.attempt, d.max_attempts, d.error, d.died_at as failed_at,
            null::timestamptz as run_at
        from task_queue.dead_jobs d
        order by d.died_at desc
        limit $1::integer
    ),
    waiting as materialized (
        select due.*
        from (
            select b.id & ~64::bigint as id, b.kind_id, b.queue_id, b.max_attempts, b.errors, b.run_at, b.state
            from task_queue.bundles b
            where b.state in (0, 3)
            order by b.run_at
            limit 10000
        ) due
        where due.state = 3 and due.errors is not null
        order by due.run_at
        limit 200
    ),
    failed as (
        select id, kind_id, queue_id, attempt, max_attempts, error, failed_at, run_at from dead
        union all
        select w.id, w.kind_id, w.queue_id, (w.errors -> -1 ->> 'attempt')::smallint, w.max_attempts,
            w.errors -> -1 ->> 'error', (w.errors -> -1 ->> 'at')::timestamptz, w.run_at
        from waiting w
    )
    select f.id, k.name, q.name, f.attempt, f.max_attempts, left(f.error, 300),
        (greatest(extract(epoch from now() - f.failed_at), 0) * 1000)::bigint,
        case when f.run_at is not null then (greatest(extract(epoch from f.run_at - now()), 0) * 1000)::bigint end
    from failed f
    join task_queue.kinds k on k.id = f.kind_id
    join task_queue.queues q on q.id = f.queue_id
    order by f.failed_at desc, f.id desc
    limit $1::integer
)sql"};

asio::awaitable<std::vector<Failure>> list_recent_failures(db::Session& session, int limit) {
    const db::Rows rows = co_await session.execute(list_recent_failures_sql, limit);
    co_return db::map_rows(rows, [](const db::Row& row) {
        Failure failure{
            .job = row.get<JobId>(0),
            .kind = row.get<std::string>(1),
            .queue = row.get<std::string>(2),
            .attempt = row.get<int>(3),
            .max_attempts = row.get<int>(4),
            .error = row.get<std::string>(5),
            .age = std::chrono::milliseconds(row.get<std::int64_t>(6)),
        };
        if (!row.is_null(7)) failure.next_run = std::chrono::milliseconds(row.get<std::int64_t>(7));
        return failure;
    });
}

}  // namespace queue

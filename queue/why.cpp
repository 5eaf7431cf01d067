#include "queue/why.hpp"

#include "queue/statements.hpp"

namespace asio = boost::asio;

namespace queue {

// ahead: more urgent lanes and, in its own, lower ids; within its row, the jobs below it.
// Indexes: pk_bundles, ix_bundles_queue_id_priority_id.
const db::Statement read_obstacles_sql{"read_obstacles", R"sql(
    with job as materialized (
        select *, ($1::bigint & 127)::integer as n
        from task_queue.bundles b
        where b.id = any (task_queue.row_ids($1::bigint)) and $1::bigint & 127 < 63
          and b.pending >> ($1::bigint & 127)::integer & 1 = 1
    )
    select clock_timestamp(),
        coalesce(ahead.jobs, 0)::bigint + task_queue.count_jobs(job.pending & ((1::bigint << job.n) - 1)),
        coalesce(ahead.rows, 0) >= 10000, q.paused, q.concurrency, t.state, job.state = 4,
        exists (select from task_queue.leaders l where l.expires_at > clock_timestamp())
    from job
    join task_queue.queues q on q.id = job.queue_id
    left join task_queue.batches t on t.id = job.batch_id
    cross join lateral (
        select sum(lane.jobs) as jobs, sum(lane.rows) as rows
        from generate_series(0, job.priority) p
        cross join lateral (
            select sum(task_queue.count_jobs(line.pending)) as jobs, count(*) as rows
            from (
                select b.pending
                from task_queue.bundles b
                where b.queue_id = any (array[job.queue_id]) and b.priority = p::smallint and b.state = 1
                  and (p < job.priority or b.id < job.id)
                order by b.queue_id, b.id
                limit 10000
            ) line
        ) lane
    ) ahead
)sql"};

asio::awaitable<std::optional<Obstacles>> read_obstacles(db::Session& session, JobId job) {
    const db::Rows rows = co_await session.execute(read_obstacles_sql, job);
    if (rows.empty()) co_return std::nullopt;
    const db::Row row = rows.front();
    co_return Obstacles{
        .now = row.get<db::TimePoint>(0),
        .ahead = row.get<std::int64_t>(1),
        .more_ahead = row.get<bool>(2),
        .paused = row.get<bool>(3),
        .queue_limit = row.get<std::optional<int>>(4),
        .batch_state = row.get<std::optional<std::string>>(5),
        .suspect = row.get<bool>(6),
        .led = row.get<bool>(7),
    };
}

// Index: ix_bundles_worker_id.
const db::Statement read_loads_sql{"read_loads", R"sql(
    select w.id, held.jobs, held.from_queue, held.of_kind
    from task_queue.workers w
    cross join lateral (
        select coalesce(sum(task_queue.count_jobs(b.pending)), 0)::bigint as jobs,
            coalesce(sum(task_queue.count_jobs(b.pending)) filter (where q.name = $1::text), 0)::bigint as from_queue,
            coalesce(sum(task_queue.count_jobs(b.pending)) filter (where k.name = $2::text), 0)::bigint as of_kind
        from task_queue.bundles b
        join task_queue.queues q on q.id = b.queue_id
        join task_queue.kinds k on k.id = b.kind_id
        where b.worker_id = w.id and b.state = 2
    ) held
    where w.dead_at is null
    order by w.id
)sql"};

asio::awaitable<std::vector<WorkerLoad>> read_loads(db::Session& session, std::string queue, std::string kind) {
    const db::Rows rows = co_await session.execute(read_loads_sql, queue, kind);
    co_return db::map_rows(rows, [](db::Row row) {
        return WorkerLoad{
            .worker = row.get<WorkerId>(0),
            .held = row.get<std::int64_t>(1),
            .from_queue = row.get<std::int64_t>(2),
            .of_kind = row.get<std::int64_t>(3),
        };
    });
}

}  // namespace queue

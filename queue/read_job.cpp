#include "queue/read_job.hpp"

#include "queue/statements.hpp"

namespace asio = boost::asio;

namespace queue {

const db::Statement read_job_sql{"read_job", R"sql(
    select id, kind, queue, state, priority, attempt, max_attempts, run_at, created_at, claimed_at, finished_at, worker_id,
        batch_id, unique_key, cancel_requested, args, result, error, errors, meta, done, total, message
    from task_queue.job($1::bigint)
)sql"};

asio::awaitable<std::optional<JobDetails>> read_job(db::Session& session, JobId job) {
    const db::Rows rows = co_await session.execute(read_job_sql, job);
    if (rows.empty()) co_return std::nullopt;
    const db::Row row = rows.front();
    co_return JobDetails{
        .id = row.get<JobId>(0),
        .kind = row.get<std::string>(1),
        .queue = row.get<std::string>(2),
        .state = row.get<std::string>(3),
        .priority = row.get<int>(4),
        .attempt = row.get<int>(5),
        .max_attempts = row.get<int>(6),
        .run_at = row.get<std::optional<db::TimePoint>>(7),
        .created_at = row.get<db::TimePoint>(8),
        .claimed_at = row.get<std::optional<db::TimePoint>>(9),
        .finished_at = row.get<std::optional<db::TimePoint>>(10),
        .worker = row.get<std::optional<WorkerId>>(11),
        .batch = row.get<std::optional<std::string>>(12),
        .unique_key = row.get<std::optional<std::string>>(13),
        .cancel_requested = row.get<bool>(14),
        .args = row.get<std::string>(15),
        .result = row.get<std::optional<std::string>>(16),
        .error = row.get<std::optional<std::string>>(17),
        .errors = row.get<std::optional<std::string>>(18),
        .meta = row.get<std::optional<std::string>>(19),
        .done = row.get<std::optional<std::int64_t>>(20),
        .total = row.get<std::optional<std::int64_t>>(21),
        .message = row.get<std::optional<std::string>>(22),
    };
}

// Each place gives its newest rows that hold a matching job, enough for the limit, before rows become jobs.
const db::Statement list_jobs_sql{"list_jobs", R"sql(
    with wanted as (
        select (select k.id from task_queue.kinds k where k.name = $1::text) as kind_id,
            (select q.id from task_queue.queues q where q.name = $5::text) as queue_id,
            (select b.created_at from task_queue.batches b where b.id = $3::uuid) as since
    ), rows as (
        (
            select b.id, b.members, b.pending, b.kind_id, b.queue_id, b.state, b.priority, b.attempt, b.batch_id, b.created_at,
                null::timestamptz as finished_at
            from task_queue.bundles b
            where ($1::text is null or b.kind_id = (select w.kind_id from wanted w))
              and ($5::text is null or b.queue_id = (select w.queue_id from wanted w))
              and ($3::uuid is null or b.batch_id = $3::uuid)
              and ($2::text is null or task_queue.state_name(b.state) = $2::text
                   or $2::text = 'completed' and b.pending <> b.members)
            order by b.id desc
            limit $4::integer
        )
        union all
        (
            select f.id, f.members, f.members, f.kind_id, f.queue_id, f.state, f.priority, f.attempt, f.batch_id, f.created_at,
                f.finished_at
            from task_queue.finished_bundles f
            where ($1::text is null or f.kind_id = (select w.kind_id from wanted w))
              and ($5::text is null or f.queue_id = (select w.queue_id from wanted w))
              and ($3::uuid is null or f.batch_id = $3::uuid)
              and f.finished_at >= coalesce((select w.since from wanted w), '-infinity')
              and ($2::text is null or task_queue.state_name(f.state) = $2::text)
            order by f.id desc
            limit $4::integer
        )
    ), jobs as (
        select (r.id & ~127::bigint) + n as id, r.kind_id, r.queue_id,
            case when r.pending >> n & 1 = 1 then task_queue.state_name(r.state) else 'completed' end as state, r.priority,
            r.attempt, r.batch_id, r.created_at, r.finished_at
        from rows r
        cross join generate_series(0, 62) n
        where r.members >> n & 1 = 1
        union all
        (
            select d.id, d.kind_id, d.queue_id, 'discarded', d.priority, d.attempt, d.batch_id, d.created_at, d.died_at
            from task_queue.dead_jobs d
            where ($1::text is null or d.kind_id = (select w.kind_id from wanted w))
              and ($5::text is null or d.queue_id = (select w.queue_id from wanted w))
              and ($3::uuid is null or d.batch_id = $3::uuid) and ($2::text is null or $2::text = 'discarded')
            order by d.id desc
            limit $4::integer
        )
    )
    select j.id, k.name, q.name, j.state, j.priority, j.attempt, j.batch_id, j.created_at, j.finished_at
    from jobs j
    join task_queue.kinds k on k.id = j.kind_id
    join task_queue.queues q on q.id = j.queue_id
    where $2::text is null or j.state = $2::text
    order by j.id desc
    limit $4::integer
)sql"};

asio::awaitable<std::vector<JobLine>> list_jobs(db::Session& session, JobFilter filter) {
    const db::Rows rows =
        co_await session.execute(list_jobs_sql, filter.kind, filter.state, filter.batch, filter.limit, filter.queue);
    co_return db::map_rows(rows, [](db::Row row) {
        return JobLine{
            .id = row.get<JobId>(0),
            .kind = row.get<std::string>(1),
            .queue = row.get<std::string>(2),
            .state = row.get<std::string>(3),
            .priority = row.get<int>(4),
            .attempt = row.get<int>(5),
            .batch = row.get<std::optional<std::string>>(6),
            .created_at = row.get<db::TimePoint>(7),
            .finished_at = row.get<std::optional<db::TimePoint>>(8),
        };
    });
}

}  // namespace queue

#include "queue/dead.hpp"

#include "queue/enqueue_times.hpp"
#include "queue/statements.hpp"

#include <algorithm>

namespace asio = boost::asio;

namespace queue {

const db::Statement list_dead_jobs_sql{"list_dead_jobs", R"sql(
    select d.id, k.name, q.name, d.batch_id, d.attempt, d.error, d.args, d.created_at, d.died_at
    from task_queue.dead_jobs d
    join task_queue.kinds k on k.id = d.kind_id
    join task_queue.queues q on q.id = d.queue_id
    where (cardinality($1::bigint[]) = 0 or d.id = any ($1::bigint[])) and ($2::text is null or k.name = $2::text)
      and ($3::text is null or q.name = $3::text) and ($4::uuid is null or d.batch_id = $4::uuid)
    order by d.died_at desc, d.id desc
    limit $5::integer
)sql"};

asio::awaitable<std::vector<DeadJob>> list_dead_jobs(db::Session& session, DeadFilter filter) {
    const db::Rows rows = co_await session.execute(
        list_dead_jobs_sql, filter.jobs, filter.kind, filter.queue, filter.batch, filter.limit
    );
    co_return db::map_rows(rows, [](db::Row row) {
        return DeadJob{
            .id = row.get<JobId>(0),
            .kind = row.get<std::string>(1),
            .queue = row.get<std::string>(2),
            .batch = row.get<std::optional<std::string>>(3),
            .attempt = row.get<int>(4),
            .error = row.get<std::string>(5),
            .args = row.get<std::string>(6),
            .created_at = row.get<db::TimePoint>(7),
            .died_at = row.get<db::TimePoint>(8),
        };
    });
}

// Index: ix_dead_jobs_died_at, or pk_dead_jobs for jobs by number.
const db::Statement find_dead_jobs_sql{"find_dead_jobs", R"sql(
    select d.id, d.died_at
    from task_queue.dead_jobs d
    where (cardinality($1::bigint[]) = 0 or d.id = any ($1::bigint[]))
      and ($2::text is null or d.kind_id = (select k.id from task_queue.kinds k where k.name = $2::text))
      and ($3::text is null or d.queue_id = (select q.id from task_queue.queues q where q.name = $3::text))
      and ($4::uuid is null or d.batch_id = $4::uuid)
      and ($6::bigint is null
        or (d.died_at, d.id) < ('epoch'::timestamptz + $6::bigint * interval '1 microsecond', $7::bigint))
    order by d.died_at desc, d.id desc
    limit $5::integer
)sql"};

asio::awaitable<std::vector<DeadPlace>> find_dead_jobs(
    db::Session& session, DeadFilter filter, std::optional<DeadPlace> below
) {
    const std::optional<db::TimePoint> died_at = below ? std::optional(below->died_at) : std::nullopt;
    const JobId job = below ? below->job : JobId{};
    const db::Rows rows = co_await session.execute(
        find_dead_jobs_sql,
        filter.jobs,
        filter.kind,
        filter.queue,
        filter.batch,
        filter.limit,
        microseconds_of(died_at),
        job
    );
    co_return db::map_rows(rows, [](db::Row row) {
        return DeadPlace{.died_at = row.get<db::TimePoint>(1), .job = row.get<JobId>(0)};
    });
}

// A redriven job gets the row of its own, base + 64 + n, which nothing else can have. The negative count tells the fold
// that the batch's next round begins.
const db::Statement redrive_dead_jobs_sql{"redrive_dead_jobs", R"sql(
    with chosen as (
        select d.id
        from task_queue.dead_jobs d
        join task_queue.kinds k on k.id = d.kind_id
        join task_queue.queues q on q.id = d.queue_id
        left join task_queue.batches b on b.id = d.batch_id
        where (cardinality($1::bigint[]) = 0 or d.id = any ($1::bigint[])) and ($2::text is null or k.name = $2::text)
          and ($3::text is null or q.name = $3::text) and ($4::uuid is null or d.batch_id = $4::uuid)
          and b.state is distinct from 'cancelled'
        order by d.died_at desc, d.id desc
        limit $5::integer
    ), picked as materialized (
        select d.*
        from task_queue.dead_jobs d
        where d.id = any (array(select c.id from chosen c))
        order by d.id
        for update skip locked
    ), revived as (
        insert into task_queue.bundles (
            id, members, pending, kind_id, queue_id, priority, max_attempts, batch_id, unique_key, meta, errors, created_at, args
        )
        select (p.id & ~127::bigint) + 64 + (p.id & 127), 1::bigint << (p.id & 127)::integer, 1::bigint << (p.id & 127)::integer,
            p.kind_id, p.queue_id, p.priority, p.max_attempts, p.batch_id, p.unique_key, p.meta, p.errors, p.created_at,
            json_build_array(p.args)
        from picked p
        on conflict (unique_key) where unique_key is not null do nothing
        returning id, queue_id, batch_id
    ), gone as (
        delete from task_queue.dead_jobs d where d.id = any (array(select r.id & ~64::bigint from revived r))
    ), counted as (
        insert into task_queue.batch_changes (batch_id, discarded)
        select r.batch_id, -count(*)
        from revived r
        where r.batch_id is not null
        group by r.batch_id
    ), woken as materialized (
        select task_queue.wake_workers(q.name)
        from task_queue.queues q
        where q.id in (select r.queue_id from revived r)
    )
    select r.id & ~64::bigint, (select count(*) from woken) from revived r
)sql"};

asio::awaitable<std::vector<JobId>> redrive_dead_jobs(db::Session& session, DeadFilter filter) {
    const db::Rows rows = co_await session.execute(
        redrive_dead_jobs_sql, filter.jobs, filter.kind, filter.queue, filter.batch, filter.limit
    );
    std::vector<JobId> jobs = db::map_rows(rows, [](db::Row row) { return row.get<JobId>(0); });
    std::ranges::sort(jobs);  // `returning` promises no order
    co_return jobs;
}

const db::Statement purge_dead_jobs_sql{"purge_dead_jobs", R"sql(
    delete from task_queue.dead_jobs
    where id = any (array(
        select d.id
        from task_queue.dead_jobs d
        join task_queue.kinds k on k.id = d.kind_id
        join task_queue.queues q on q.id = d.queue_id
        where (cardinality($1::bigint[]) = 0 or d.id = any ($1::bigint[])) and ($2::text is null or k.name = $2::text)
          and ($3::text is null or q.name = $3::text) and ($4::uuid is null or d.batch_id = $4::uuid)
        order by d.died_at desc, d.id desc
        limit $5::integer
    ))
)sql"};

asio::awaitable<std::int64_t> purge_dead_jobs(db::Session& session, DeadFilter filter) {
    const db::Rows rows = co_await session.execute(
        purge_dead_jobs_sql, filter.jobs, filter.kind, filter.queue, filter.batch, filter.limit
    );
    co_return rows.affected();
}

}  // namespace queue

#include "queue/rescue.hpp"

#include "queue/statements.hpp"

namespace queue {

// found:   locks without waiting; live are the jobs that go on, stop those that were asked to stop.
// back:    the row keeps its lowest live job, and on its first rescue all of them.
// Indexes: ix_bundles_worker_id, pk_bundles.
const db::Statement rescue_jobs_sql{"rescue_jobs", R"sql(
    with found as materialized (
        select b.*, b.pending & ~b.cancel_requested as live, b.pending & b.cancel_requested as stop
        from task_queue.workers w
        cross join lateral (
            select *
            from task_queue.bundles
            where worker_id = any (array[w.id]) and state = 2
            order by worker_id, id
            limit $1::integer
            for update skip locked
        ) b
        where w.dead_at is not null
        limit $1::integer
    ),
    back as (
        update task_queue.bundles b
        set state = case when b.rescues = 0 then 1 else 4 end, worker_id = null, claimed_at = null,
            attempt = greatest(b.attempt - 1, 0), rescues = least(b.rescues + 1, 32767), cancel_requested = 0,
            members = b.members & ~(case
                when b.rescues = 0 then b.pending & b.cancel_requested
                else b.pending & ~(b.pending & ~b.cancel_requested & -(b.pending & ~b.cancel_requested))
            end),
            pending = case
                when b.rescues = 0 then b.pending & ~b.cancel_requested
                else b.pending & ~b.cancel_requested & -(b.pending & ~b.cancel_requested)
            end
        where b.id = any (array(select id from found where live <> 0 and strikes < 3))
    ),
    suspects as (
        insert into task_queue.bundles (
            id, members, pending, run_at, created_at, batch_id, kind_id, queue_id, priority, state, attempt,
            max_attempts, rescues, meta, args
        )
        select piece_id, piece, piece, run_at, created_at, batch_id, kind_id, queue_id, priority, 4,
            greatest(attempt - 1, 0), max_attempts, least(rescues + 1, 32767), meta, piece_args
        from found
        cross join lateral task_queue.pieces(id, live & (live - 1), 1, args)
        where rescues > 0 and strikes < 3 and live & (live - 1) <> 0
    ),
    ended as (
        delete from task_queue.bundles where id = any (array(select id from found where live = 0 or strikes >= 3))
    ),
    history as (
        insert into task_queue.finished_bundles (
            id, members, state, claim_number, worker_id, created_at, claimed_at, batch_id, kind_id, queue_id, priority,
            attempt, max_attempts, unique_key, meta, errors, args
        )
        select id, members & ~pending, 5, claim_number, worker_id, created_at, claimed_at, batch_id, kind_id, queue_id,
            priority, attempt, max_attempts, unique_key, meta, errors, args
        from found
        where (live = 0 or strikes >= 3) and members & ~pending <> 0 and (select task_queue.keeps('completed'))
        union all
        select piece_id + 64, piece, 6, claim_number, worker_id, created_at, claimed_at, batch_id, kind_id, queue_id,
            priority, attempt, max_attempts, unique_key, meta, errors, piece_args
        from found
        cross join lateral task_queue.pieces(id, stop, 1, args)
        where stop <> 0 and (select task_queue.keeps('cancelled'))
    ),
    dead as (
        insert into task_queue.dead_jobs (
            id, created_at, worker_id, batch_id, kind_id, queue_id, priority, attempt, max_attempts, rescues,
            unique_key, error, errors, meta, args
        )
        select piece_id, created_at, worker_id, batch_id, kind_id, queue_id, priority, attempt, max_attempts, rescues,
            unique_key, reason, task_queue.add_error(errors, attempt, reason), meta, piece_args -> 0
        from found
        cross join lateral format('quarantined: %s workers died while it ran alone', strikes) reason
        cross join lateral task_queue.pieces(id, live, 1, args)
        where live <> 0 and strikes >= 3
    ),
    counted as (
        insert into task_queue.batch_changes (batch_id, discarded, cancelled)
        select batch_id, sum(case when strikes >= 3 then task_queue.count_jobs(live) else 0 end),
            sum(task_queue.count_jobs(stop))
        from found
        where batch_id is not null and (stop <> 0 or strikes >= 3)
        group by batch_id
    ),
    progress as (
        delete from task_queue.task_progress
        where job_id = any (array(
            select (id & ~127::bigint) + n from found cross join generate_series(0, 62) n where (pending >> n) & 1 = 1
        ))
    ),
    woken as materialized (
        select task_queue.wake_workers(name)
        from task_queue.queues
        where id in (select queue_id from found where live <> 0 and strikes < 3)
    )
    select count(*), coalesce(sum(task_queue.count_jobs(live)) filter (where strikes < 3), 0),
        coalesce(sum(task_queue.count_jobs(live)) filter (where strikes < 3 and rescues > 0), 0),
        count(*) filter (where live <> 0 and strikes >= 3), coalesce(sum(task_queue.count_jobs(stop)), 0),
        (select count(*) from woken)
    from found
)sql"};

boost::asio::awaitable<Rescued> rescue_jobs(db::Session& session, int rows) {
    const db::Rows answer = co_await session.execute(rescue_jobs_sql, rows);
    const db::Row row = answer.front();
    co_return Rescued{
        .rows = row.get<int>(0),
        .jobs = row.get<int>(1),
        .suspects = row.get<int>(2),
        .quarantined = row.get<int>(3),
        .cancelled = row.get<int>(4),
    };
}

}  // namespace queue

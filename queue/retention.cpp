#include "queue/retention.hpp"

#include "queue/statements.hpp"

#include <algorithm>

namespace queue {

const db::Statement create_partitions_sql{"create_partitions", "select task_queue.create_partitions($1::integer)"};

boost::asio::awaitable<int> create_partitions(db::Session& session, int days) {
    const db::Rows rows = co_await session.execute(create_partitions_sql, days);
    co_return rows.front().get<int>(0);
}

const db::Statement drop_partition_sql{
    "drop_partition", "select task_queue.drop_partition(make_interval(secs => $1::bigint))"
};

boost::asio::awaitable<std::optional<std::string>> drop_partition(db::Session& session, std::chrono::seconds keep) {
    const db::Rows rows = co_await session.execute(drop_partition_sql, std::int64_t{keep.count()});
    co_return rows.front().get<std::optional<std::string>>(0);
}

namespace {

boost::asio::awaitable<int> prune(
    db::Session& session, const db::Statement& statement, std::chrono::seconds keep, int rows
) {
    const db::Rows pruned = co_await session.execute(statement, std::int64_t{keep.count()}, rows);
    co_return static_cast<int>(pruned.affected());
}

}  // namespace

// Their args go with them, half a millisecond a MiB and more where it is not in memory.
const db::Statement prune_dead_jobs_sql{"prune_dead_jobs", R"sql(
    with found as materialized (
        select id, pg_column_size(args) as bytes
        from task_queue.dead_jobs
        where died_at < now() - make_interval(secs => $1::bigint)
        order by died_at
        limit $2::integer
        for update skip locked
    ),
    gone as (
        delete from task_queue.dead_jobs
        where id = any (array(
            select id
            from (select id, sum(bytes) over (rows unbounded preceding) - bytes as before from found) summed
            where before < 16777216
        ))
        returning id
    )
    select count(*), count(*) < (select count(*) from found) or count(*) = $2::integer from gone
)sql"};

boost::asio::awaitable<Pruned> prune_dead_jobs(db::Session& session, std::chrono::seconds keep, int rows) {
    const db::Rows answer = co_await session.execute(prune_dead_jobs_sql, std::int64_t{keep.count()}, rows);
    co_return Pruned{.rows = answer.front().get<int>(0), .more = answer.front().get<bool>(1)};
}

// clean, failed: a batch in which jobs were discarded waits until its dead letters may go, so that those which must
//                stay are not passed again and again. Dead letters go in the order of death: those that wait for them
//                do not wait for ever.
// more:          what is found first and must stay for a moment, until its changes are counted, hides no more than a
//                call's worth; where nothing could go, it is left for the next time.
// The lookups are subqueries with a limit, so that they are made by index and never joined. What is neither a dead
// letter nor a change that waits to be counted cannot become one. Indexes: ix_batches_finished_at,
// ix_batches_finished_at_discarded, ix_dead_jobs_batch_id, ix_batch_changes_batch_id.
const db::Statement prune_batches_sql{"prune_batches", R"sql(
    with clean as materialized (
        select id
        from task_queue.batches
        where finished_at < now() - make_interval(secs => $1::bigint) and discarded = 0
        order by finished_at
        limit $3::integer
        for update skip locked
    ),
    failed as materialized (
        select id
        from task_queue.batches
        where finished_at < now() - make_interval(secs => $2::bigint) and discarded > 0
        order by finished_at
        limit $3::integer
        for update skip locked
    ),
    gone as (
        delete from task_queue.batches
        where id = any (array(
            select o.id
            from (select id from clean union all select id from failed) o
            where (select d.id from task_queue.dead_jobs d where d.batch_id = o.id limit 1) is null
              and (select c.id from task_queue.batch_changes c where c.batch_id = o.id limit 1) is null
            limit $3::integer
        ))
        returning id
    )
    select count(*),
        count(*) > 0 and $3::integer in (count(*), (select count(*) from clean), (select count(*) from failed))
    from gone
)sql"};

boost::asio::awaitable<Pruned> prune_batches(db::Session& session, BatchRetention keep, int rows) {
    const db::Rows answer = co_await session.execute(
        prune_batches_sql,
        std::int64_t{keep.clean.count()},
        std::int64_t{std::max(keep.clean, keep.dead_jobs).count()},
        rows
    );
    co_return Pruned{.rows = answer.front().get<int>(0), .more = answer.front().get<bool>(1)};
}

const db::Statement prune_enqueue_keys_sql{"prune_enqueue_keys", R"sql(
    delete from task_queue.enqueue_keys
    where key = any (array(
        select key from task_queue.enqueue_keys
        where created_at < now() - make_interval(secs => $1::bigint)
        order by created_at
        limit $2::integer
        for update skip locked
    ))
)sql"};

boost::asio::awaitable<int> prune_enqueue_keys(db::Session& session, std::chrono::seconds keep, int rows) {
    return prune(session, prune_enqueue_keys_sql, keep, rows);
}

// A subquery for each worker, with a limit, so that the running rows are looked up by their index and never joined.
const db::Statement prune_workers_sql{"prune_workers", R"sql(
    delete from task_queue.workers
    where id = any (array(
        select w.id from task_queue.workers w
        where w.dead_at < now() - make_interval(secs => $1::bigint)
          and (select b.id from task_queue.bundles b where b.worker_id = w.id and b.state = 2 limit 1) is null
        order by w.id
        limit $2::integer
        for update skip locked
    ))
)sql"};

boost::asio::awaitable<int> prune_workers(db::Session& session, std::chrono::seconds keep, int rows) {
    return prune(session, prune_workers_sql, keep, rows);
}

// A job that runs again by now has reported anew, or is found running.
const db::Statement prune_task_progress_sql{"prune_task_progress", R"sql(
    delete from task_queue.task_progress
    where updated_at < now() - make_interval(secs => $1::bigint)
      and job_id = any (array(
          select p.job_id
          from task_queue.task_progress p
          where p.updated_at < now() - make_interval(secs => $1::bigint)
            and (
                select b.id
                from task_queue.bundles b
                where b.id = any (task_queue.row_ids(p.job_id)) and b.state = 2
                  and b.pending >> (p.job_id & 127)::integer & 1 = 1
                limit 1
            ) is null
          limit $2::integer
          for update skip locked
      ))
)sql"};

boost::asio::awaitable<int> prune_task_progress(db::Session& session, std::chrono::seconds keep, int rows) {
    return prune(session, prune_task_progress_sql, keep, rows);
}

}  // namespace queue

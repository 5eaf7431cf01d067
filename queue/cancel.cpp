#include "queue/cancel.hpp"

#include "queue/statements.hpp"

namespace asio = boost::asio;

namespace queue {

const db::Statement cancel_job_sql{"cancel_job", "select task_queue.cancel($1::bigint)"};

asio::awaitable<CancelAnswer> cancel_job(db::Session& session, JobId job) {
    const db::Rows rows = co_await session.execute(cancel_job_sql, job);
    const auto answer = rows.front().get<std::string_view>(0);
    if (answer == "cancelled") co_return CancelAnswer::cancelled;
    if (answer == "stopping") co_return CancelAnswer::stopping;
    if (answer == "finished") co_return CancelAnswer::finished;
    co_return CancelAnswer::not_found;
}

const db::Statement count_cancellable_jobs_sql{"count_cancellable_jobs", R"sql(
    select coalesce(sum(task_queue.count_jobs(b.pending)) filter (where b.state <> 2), 0)::bigint,
        coalesce(sum(task_queue.count_jobs(b.pending & ~b.cancel_requested)) filter (where b.state = 2), 0)::bigint,
        coalesce(max(b.id), 0) | 127
    from task_queue.bundles b
    where ($1::text is null or b.kind_id = (select k.id from task_queue.kinds k where k.name = $1::text))
      and ($2::text is null or b.queue_id = (select q.id from task_queue.queues q where q.name = $2::text))
      and ($3::text is null or task_queue.state_name(b.state) = $3::text)
      and ($4::uuid is null or b.batch_id = $4::uuid)
      and ($5::bigint is null or b.id <= $5::bigint)
)sql"};

asio::awaitable<Cancellable> count_cancellable_jobs(db::Session& session, JobFilter filter, std::optional<RowId> upto) {
    const db::Rows rows = co_await session.execute(
        count_cancellable_jobs_sql, filter.kind, filter.queue, filter.state, filter.batch, upto
    );
    const db::Row row = rows.front();
    co_return Cancellable{
        .waiting = row.get<std::int64_t>(0), .running = row.get<std::int64_t>(1), .newest = row.get<RowId>(2)
    };
}

// The locking select runs once, so that what is locked is what is cancelled. What was asked of a row that has been cut
// since is kept in it, whoever has those jobs now: its pending jobs alone count. Index: pk_bundles.
const db::Statement cancel_jobs_sql{"cancel_jobs", R"sql(
    with page as materialized (
        select b.id
        from task_queue.bundles b
        where ($1::text is null or b.kind_id = (select k.id from task_queue.kinds k where k.name = $1::text))
          and ($2::text is null or b.queue_id = (select q.id from task_queue.queues q where q.name = $2::text))
          and ($3::text is null or task_queue.state_name(b.state) = $3::text)
          and ($4::uuid is null or b.batch_id = $4::uuid)
          and (b.state <> 2 or b.pending & ~b.cancel_requested <> 0) and b.id > $5::bigint and b.id <= $6::bigint
        order by b.id
        limit $7::integer
        for update skip locked
    )
    select c.cancelled, c.stopping, c.last_id
    from (select array_agg(p.id) as ids from page p) found
    cross join lateral task_queue.cancel_rows(found.ids) c
)sql"};

asio::awaitable<CancelStep> cancel_jobs(db::Session& session, JobFilter filter, RowId after, RowId upto) {
    const db::Rows rows = co_await session.execute(
        cancel_jobs_sql, filter.kind, filter.queue, filter.state, filter.batch, after, upto, filter.limit
    );
    const db::Row row = rows.front();
    co_return CancelStep{
        .cancelled = row.get<std::int64_t>(0),
        .stopping = row.get<std::int64_t>(1),
        .last = row.get<std::optional<RowId>>(2)
    };
}

}  // namespace queue

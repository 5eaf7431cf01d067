#include "queue/promote.hpp"

#include "queue/statements.hpp"

namespace queue {

// Index: ix_bundles_run_at.
const db::Statement promote_jobs_sql{"promote_jobs", R"sql(
    with due as materialized (
        select ctid as tid, run_at
        from task_queue.bundles
        where state in (0, 3) and run_at >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond'
          and run_at <= now()
        order by run_at
        limit $2::integer
        for update skip locked
    ),
    promoted as (
        update task_queue.bundles
        set state = 1
        where ctid = any (array(select tid from due))
        returning queue_id, priority, id
    ),
    woken as materialized (
        select task_queue.wake_workers(name)
        from task_queue.queues
        where id in (select queue_id from promoted)
    )
    select queue_id, priority, min(id), (select count(*) from due), (select max(run_at) from due),
        (select count(*) from woken)
    from promoted
    group by queue_id, priority
)sql"};

boost::asio::awaitable<Promoted> promote_jobs(db::Session& session, db::TimePoint after, int rows) {
    const db::Rows lanes = co_await session.execute(promote_jobs_sql, after.time_since_epoch().count(), rows);
    Promoted promoted;
    promoted.until = after;
    for (const db::Row& lane : lanes) {
        promoted.rows = lane.get<int>(3);
        promoted.until = lane.get<db::TimePoint>(4);
        promoted.lanes.push_back({lane.get<QueueId>(0), lane.get<std::int16_t>(1), lane.get<RowId>(2)});
    }
    promoted.more = promoted.rows == rows;
    co_return promoted;
}

}  // namespace queue

#include "queue/depth.hpp"

#include "queue/statements.hpp"

#include <algorithm>

namespace queue {

namespace {
constexpr int most_lanes = 10;  // that are counted to the full bound
}

// Indexes: ix_bundles_queue_id_priority_id, its _suspect twin, ix_bundles_run_at, ix_bundles_worker_id.
const db::Statement read_depth_sql{"read_depth", R"sql(
    with line as (
        select lane.queue_id, head.jobs, head.oldest, head.more
        from unnest($1::smallint[], $2::smallint[], $3::bigint[]) lane (queue_id, priority, after)
        cross join lateral (
            select sum(task_queue.count_jobs(pending)) as jobs, min(run_at) as oldest, count(*) = $4::integer as more
            from (
                select pending, run_at
                from task_queue.bundles b
                where b.queue_id = any (array[lane.queue_id]) and b.priority = lane.priority and b.state = 1
                  and b.id > lane.after
                order by b.queue_id, b.id
                limit $4::integer
            ) available
            union all
            select sum(task_queue.count_jobs(pending)), min(run_at), count(*) = $4::integer
            from (
                select pending, run_at
                from task_queue.bundles b
                where b.queue_id = any (array[lane.queue_id]) and b.priority = lane.priority and b.state = 4
                order by b.queue_id, b.id
                limit $4::integer
            ) suspect
        ) head
    ),
    lines as (
        select queue_id, sum(jobs) as jobs, min(oldest) as oldest, bool_or(more) as more from line group by queue_id
    ),
    waiting as materialized (
        select queue_id, state, pending
        from task_queue.bundles
        where state in (0, 3)
        order by run_at
        limit $5::integer
    ),
    running as materialized (
        select queue_id, pending
        from task_queue.bundles
        where state = 2
        order by worker_id
        limit $5::integer
    )
    select q.id, coalesce(lines.jobs, 0)::bigint,
        coalesce((select sum(task_queue.count_jobs(pending)) from waiting where queue_id = q.id and state = 0), 0)::bigint,
        coalesce((select sum(task_queue.count_jobs(pending)) from waiting where queue_id = q.id and state = 3), 0)::bigint,
        coalesce((select sum(task_queue.count_jobs(pending)) from running where queue_id = q.id), 0)::bigint,
        coalesce(lines.more, false) or (select count(*) from waiting) = $5::integer
            or (select count(*) from running) = $5::integer,
        case when lines.oldest is not null then (greatest(extract(epoch from now() - lines.oldest), 0) * 1000)::bigint end
    from task_queue.queues q
    left join lines on lines.queue_id = q.id
    order by q.id
)sql"};

std::vector<LaneCursor> all_lanes(std::span<const Queue> queues) {
    std::vector<LaneCursor> lanes;
    for (const Queue& queue : queues) {
        for (std::int16_t priority = 0; priority <= 9; ++priority) lanes.push_back({queue.id, priority});
    }
    return lanes;
}

boost::asio::awaitable<std::vector<QueueDepth>> read_depth(
    db::Session& session, std::span<const LaneCursor> lanes, int rows
) {
    std::vector<QueueId> queues;
    std::vector<std::int16_t> priorities;
    std::vector<RowId> after;
    for (const LaneCursor& lane : lanes) {
        queues.push_back(lane.queue);
        priorities.push_back(lane.priority);
        after.push_back(lane.after);
    }
    const int lane_rows =
        std::min<int>(rows, most_lanes * rows / static_cast<int>(std::max<std::size_t>(lanes.size(), 1)));
    const db::Rows depths =
        co_await session.execute(read_depth_sql, queues, priorities, after, std::max(lane_rows, 1), rows);
    co_return db::map_rows(depths, [](const db::Row& row) {
        QueueDepth depth{
            .queue = row.get<QueueId>(0),
            .available = row.get<std::int64_t>(1),
            .scheduled = row.get<std::int64_t>(2),
            .retryable = row.get<std::int64_t>(3),
            .running = row.get<std::int64_t>(4),
            .bounded = row.get<bool>(5),
            .oldest = {},
        };
        if (!row.is_null(6)) depth.oldest = std::chrono::milliseconds(row.get<std::int64_t>(6));
        return depth;
    });
}

}  // namespace queue

#include "queue/health.hpp"

#include "queue/statements.hpp"

#include <boost/json/parse.hpp>

namespace asio = boost::asio;
namespace json = boost::json;

namespace queue {

// Index: ix_bundles_worker_id.
const db::Statement list_stuck_leases_sql{"list_stuck_leases", R"sql(
    select b.worker_id,
        case when w.id is null then 'unknown' when w.dead_at is not null then 'dead' else 'silent' end,
        coalesce(w.host || ', process ' || w.pid, ''), sum(task_queue.count_jobs(b.pending))::bigint,
        min(coalesce(b.claimed_at, b.created_at))
    from task_queue.bundles b
    left join task_queue.workers w on w.id = b.worker_id
    where b.state = 2
      and (w.id is null or coalesce(w.dead_at, w.heartbeat_at) < now() - make_interval(secs => $1::float8))
    group by b.worker_id, w.id
    order by b.worker_id
)sql"};

asio::awaitable<std::vector<StuckLease>> list_stuck_leases(db::Session& session, std::chrono::milliseconds patience) {
    const double seconds = std::chrono::duration<double>(patience).count();
    const db::Rows rows = co_await session.execute(list_stuck_leases_sql, seconds);
    co_return db::map_rows(rows, [](db::Row row) {
        return StuckLease{
            .worker = row.get<WorkerId>(0),
            .trouble = row.get<std::string>(1),
            .place = row.get<std::string>(2),
            .jobs = row.get<std::int64_t>(3),
            .since = row.get<db::TimePoint>(4),
        };
    });
}

// Of one snapshot, so that a job on its way from one row to another is not missed: batch_status waits for nobody.
// Indexes: pk_batches, ix_bundles_batch_id, ix_bundles_worker_id.
const db::Statement list_stuck_batches_sql{"list_stuck_batches", R"sql(
    select b.id, b.name, b.state, s.total - s.completed - s.discarded - s.cancelled, b.created_at
    from task_queue.batches b
    cross join lateral task_queue.batch_status(b.id) s
    where b.finished_at is null
      and case
          when b.state = 'open' then b.seal_after is null and b.created_at < now() - make_interval(secs => $1::float8)
          else s.total > s.completed + s.discarded + s.cancelled
              and not exists (select from task_queue.bundles l where l.batch_id = b.id and l.state <> 2)
              and not exists (select from task_queue.bundles l where l.batch_id = b.id and l.state = 2)
      end
    union all
    select l.batch_id, '', 'gone', sum(task_queue.count_jobs(l.pending))::bigint, min(l.created_at)
    from task_queue.bundles l
    where l.batch_id is not null and not exists (select from task_queue.batches b where b.id = l.batch_id)
    group by l.batch_id
    order by 5
    limit 100
)sql"};

asio::awaitable<std::vector<StuckBatch>> list_stuck_batches(db::Session& session, std::chrono::seconds open_for) {
    const auto seconds = static_cast<double>(open_for.count());
    const db::Rows rows = co_await session.execute(list_stuck_batches_sql, seconds);
    co_return db::map_rows(rows, [](db::Row row) {
        const auto state = row.get<std::string>(2);
        return StuckBatch{
            .id = row.get<std::string>(0),
            .name = row.get<std::string>(1),
            .trouble = state == "open" || state == "gone" ? state : "lost",
            .jobs = row.get<std::int64_t>(3),
            .since = row.get<db::TimePoint>(4),
        };
    });
}

namespace {

// Not among statements(): SQL's PREPARE takes no EXPLAIN.
const db::Statement measure_heads_sql{"measure_heads", R"sql(
    explain (analyze, buffers, timing off, summary off, format json)
    select head.id
    from task_queue.queues q
    cross join generate_series(0, 9) p
    left join lateral (
        select b.id
        from task_queue.bundles b
        where b.queue_id = any (array[q.id]) and b.priority = p::smallint and b.state = 1
        order by b.queue_id, b.id
        limit 1
    ) head on true
)sql"};

}  // namespace

asio::awaitable<HeadCost> measure_heads(db::Session& session) {
    const db::Rows rows = co_await session.execute(measure_heads_sql);
    const json::value explained = json::parse(rows.front().get<std::string>(0));
    const json::object& plan = explained.as_array().at(0).as_object().at("Plan").as_object();
    const auto number = [&](const char* name) { return plan.at(name).to_number<std::int64_t>(); };
    co_return HeadCost{
        .lanes = number("Actual Rows"),
        .blocks = number("Shared Hit Blocks") + number("Shared Read Blocks"),
    };
}

}  // namespace queue

#include "queue/workers.hpp"

#include "queue/statements.hpp"

namespace queue {

const db::Statement register_worker_sql{"register_worker", R"sql(
    insert into task_queue.workers (connections, slots, pid, host, version, kinds, queues)
    values ($1::integer, $2::integer, $3::integer, $4::text, $5::text, $6::text[], $7::text[])
    returning id
)sql"};

boost::asio::awaitable<WorkerId> register_worker(db::Session& session, NewWorker worker) {
    const db::Rows rows = co_await session.execute(
        register_worker_sql,
        worker.connections,
        worker.slots,
        worker.pid,
        worker.host,
        worker.version,
        worker.kinds,
        worker.queues
    );
    co_return rows.front().get<WorkerId>(0);
}

const db::Statement record_heartbeat_sql{"record_heartbeat", R"sql(
    select row_id, claim_number, jobs from task_queue.record_heartbeat($1::bigint)
)sql"};

boost::asio::awaitable<Heartbeat> record_heartbeat(db::Session& session, WorkerId worker) {
    const db::Rows rows = co_await session.execute(record_heartbeat_sql, worker);
    Heartbeat heartbeat;
    heartbeat.alive = !rows.empty();
    for (const db::Row& row : rows) {
        if (row.is_null(0)) continue;  // no request: the one row stands for the beat alone
        heartbeat.cancels.push_back({row.get<RowId>(0), row.get<ClaimNumber>(1), row.get<Mask>(2)});
    }
    co_return heartbeat;
}

const db::Statement set_hungry_sql{"set_hungry", R"sql(
    update task_queue.workers set hungry = $2::boolean where id = $1::bigint and hungry <> $2::boolean
)sql"};

boost::asio::awaitable<void> set_hungry(db::Session& session, WorkerId worker, bool hungry) {
    co_await session.execute(set_hungry_sql, worker, hungry);
}

const db::Statement retire_worker_sql{"retire_worker", R"sql(
    update task_queue.workers
    set dead_at = now(), stopped = true, hungry = false, updated_at = now()
    where id = $1::bigint and dead_at is null
)sql"};

boost::asio::awaitable<void> retire_worker(db::Session& session, WorkerId worker) {
    co_await session.execute(retire_worker_sql, worker);
}

const db::Statement read_workers_sql{"read_workers", R"sql(
    select id, beat, connections, slots, pid, hungry, stopped, host, version, kinds, queues, started_at, heartbeat_at,
        dead_at, (greatest(extract(epoch from now() - heartbeat_at), 0) * 1000)::bigint
    from task_queue.workers
    order by id
)sql"};

boost::asio::awaitable<std::vector<Worker>> read_workers(db::Session& session) {
    const db::Rows rows = co_await session.execute(read_workers_sql);
    co_return db::map_rows(rows, [](const db::Row& row) {
        return Worker{
            .id = row.get<WorkerId>(0),
            .beat = row.get<std::int64_t>(1),
            .connections = row.get<int>(2),
            .slots = row.get<int>(3),
            .pid = row.get<int>(4),
            .hungry = row.get<bool>(5),
            .stopped = row.get<bool>(6),
            .host = row.get<std::string>(7),
            .version = row.get<std::string>(8),
            .kinds = row.get<std::vector<std::string>>(9),
            .queues = row.get<std::vector<std::string>>(10),
            .started_at = row.get<db::TimePoint>(11),
            .heartbeat_at = row.get<db::TimePoint>(12),
            .dead_at = row.get<std::optional<db::TimePoint>>(13),
            .heartbeat_age = std::chrono::milliseconds(row.get<std::int64_t>(14)),
        };
    });
}

std::string_view state_name(const Worker& worker) {
    if (worker.stopped) return "stopped";
    return worker.dead_at ? "dead" : "live";
}

// A row that is locked is passed over: a worker that stands still may hold it, and must not hold up the rest.
const db::Statement declare_dead_sql{"declare_dead", R"sql(
    update task_queue.workers
    set dead_at = now(), hungry = false, updated_at = now()
    where id = any (array(
        select w.id
        from unnest($1::bigint[], $2::bigint[]) seen (id, beat)
        join task_queue.workers w on w.id = seen.id
        where w.beat = seen.beat and w.dead_at is null
        order by w.id
        for update of w skip locked
    ))
    returning id
)sql"};

boost::asio::awaitable<std::vector<WorkerId>> declare_dead(db::Session& session, std::span<const SeenBeat> seen) {
    std::vector<WorkerId> workers;
    std::vector<std::int64_t> beats;
    for (const SeenBeat& one : seen) {
        workers.push_back(one.worker);
        beats.push_back(one.beat);
    }
    const db::Rows rows = co_await session.execute(declare_dead_sql, workers, beats);
    co_return db::map_rows(rows, [](const db::Row& row) { return row.get<WorkerId>(0); });
}

}  // namespace queue

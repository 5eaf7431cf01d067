#include "queue/batches.hpp"

#include "queue/statements.hpp"

namespace asio = boost::asio;

namespace queue {

const db::Statement create_batch_sql{"create_batch", R"sql(
    select task_queue.create_batch(
        id => $1::uuid, name => $2::text, meta => $3::json, on_finish => $4::text, on_success => $5::text,
        on_failure => $6::text, callback_args => $7::json, callback_queue => $8::text,
        seal_after => $9::bigint * interval '1 second'
    )
)sql"};

asio::awaitable<BatchId> create_batch(db::Session& session, NewBatch batch) {
    std::optional<std::int64_t> seal_after;
    if (batch.seal_after) seal_after = batch.seal_after->count();
    const db::Rows rows = co_await session.execute(
        create_batch_sql,
        batch.id,
        batch.name,
        batch.meta,
        batch.on_finish,
        batch.on_success,
        batch.on_failure,
        batch.callback_args,
        batch.callback_queue,
        seal_after
    );
    co_return rows.front().get<std::string>(0);
}

const db::Statement seal_batch_sql{"seal_batch", "select task_queue.seal_batch($1::uuid)"};

asio::awaitable<bool> seal_batch(db::Session& session, BatchId batch) {
    const db::Rows rows = co_await session.execute(seal_batch_sql, batch);
    co_return rows.front().get<bool>(0);
}

const db::Statement cancel_batch_sql{
    "cancel_batch", "select cancelled, stopping from task_queue.cancel_batch($1::uuid)"
};

asio::awaitable<CancelledBatch> cancel_batch(db::Session& session, BatchId batch) {
    const db::Rows rows = co_await session.execute(cancel_batch_sql, batch);
    const db::Row row = rows.front();
    co_return CancelledBatch{.cancelled = row.get<std::int64_t>(0), .stopping = row.get<std::int64_t>(1)};
}

const db::Statement cancel_remaining_jobs_sql{
    "cancel_remaining_jobs", "select task_queue.cancel_remaining_jobs($1::integer)"
};

asio::awaitable<std::int64_t> cancel_remaining_jobs(db::Session& session, int rows) {
    const db::Rows answer = co_await session.execute(cancel_remaining_jobs_sql, rows);
    co_return answer.front().get<std::int64_t>(0);
}

const db::Statement seal_due_batches_sql{"seal_due_batches", "select task_queue.seal_due_batches($1::integer)"};

asio::awaitable<int> seal_due_batches(db::Session& session, int limit) {
    const db::Rows rows = co_await session.execute(seal_due_batches_sql, limit);
    co_return rows.front().get<int>(0);
}

const db::Statement fold_batch_changes_sql{"fold_batch_changes", R"sql(
    select finished::text[], folded, last_change, looked = $2
    from task_queue.fold_batch_changes($1::bigint, $2::integer)
)sql"};

asio::awaitable<Folded> fold_batch_changes(db::Session& session, FoldRequest request) {
    const db::Rows rows = co_await session.execute(fold_batch_changes_sql, request.after, request.limit);
    const db::Row row = rows.front();
    co_return Folded{
        .finished = row.get<std::vector<std::string>>(0),
        .changes = row.get<std::int64_t>(1),
        .last_change = row.get<std::int64_t>(2),
        .more = row.get<bool>(3),
    };
}

namespace {

BatchStatus status_from_row(db::Row row) {
    BatchStatus status;
    status.id = row.get<std::string>(0);
    status.name = row.get<std::string>(1);
    status.state = row.get<std::string>(2);
    status.round = row.get<int>(3);
    status.total = row.get<std::int64_t>(4);
    status.completed = row.get<std::int64_t>(5);
    status.discarded = row.get<std::int64_t>(6);
    status.cancelled = row.get<std::int64_t>(7);
    status.running = row.get<std::int64_t>(8);
    status.waiting = row.get<std::int64_t>(9);
    status.percent = row.get<double>(10);
    status.recent_rate = row.get<std::optional<double>>(11).value_or(0);
    status.overall_rate = row.get<std::optional<double>>(12).value_or(0);
    if (const auto eta = row.get<std::optional<std::int64_t>>(13)) status.eta = std::chrono::seconds(*eta);
    status.created_at = row.get<db::TimePoint>(14);
    status.sealed_at = row.get<std::optional<db::TimePoint>>(15);
    status.finished_at = row.get<std::optional<db::TimePoint>>(16);
    status.meta = row.get<std::optional<std::string>>(17);
    return status;
}

}  // namespace

const db::Statement read_batch_status_sql{"read_batch_status", R"sql(
    select id, name, state, round, total, completed, discarded, cancelled, running, waiting, percent, recent_rate,
        overall_rate, ceil(extract(epoch from eta))::bigint, created_at, sealed_at, finished_at, meta
    from task_queue.batch_status($1::uuid)
)sql"};

asio::awaitable<std::optional<BatchStatus>> read_batch_status(db::Session& session, BatchId batch) {
    const db::Rows rows = co_await session.execute(read_batch_status_sql, batch);
    if (rows.empty()) co_return std::nullopt;
    co_return status_from_row(rows.front());
}

const db::Statement list_batches_sql{"list_batches", R"sql(
    select s.id, s.name, s.state, s.round, s.total, s.completed, s.discarded, s.cancelled, s.running, s.waiting, s.percent,
        s.recent_rate, s.overall_rate, ceil(extract(epoch from s.eta))::bigint, s.created_at, s.sealed_at, s.finished_at,
        s.meta
    from (
        select id
        from task_queue.batches
        where ($1::text is null or state = $1) and ($2::text is null or name = $2)
        order by created_at desc
        limit $3::integer
    ) b
    cross join lateral task_queue.batch_status(b.id) s
    order by s.created_at desc
)sql"};

asio::awaitable<std::vector<BatchStatus>> list_batches(db::Session& session, BatchFilter filter) {
    const db::Rows rows = co_await session.execute(list_batches_sql, filter.state, filter.name, filter.limit);
    co_return db::map_rows(rows, status_from_row);
}

// Indexes: ix_batches_finished_at and ix_batches_finished_at_discarded, since finished ones stay for days.
const db::Statement list_current_batches_sql{"list_current_batches", R"sql(
    with unfinished as (
        select u.id
        from (
            select b.id, b.created_at from task_queue.batches b where b.finished_at is null and b.discarded = 0
            union all
            select b.id, b.created_at from task_queue.batches b where b.finished_at is null and b.discarded > 0
        ) u
        order by u.created_at desc
        limit $1::integer
    ),
    finished as (
        select u.id
        from (
            (select b.id, b.finished_at from task_queue.batches b
             where b.finished_at is not null and b.discarded = 0 order by b.finished_at desc limit $2::integer)
            union all
            (select b.id, b.finished_at from task_queue.batches b
             where b.finished_at is not null and b.discarded > 0 order by b.finished_at desc limit $2::integer)
        ) u
        order by u.finished_at desc
        limit $2::integer
    )
    select s.id, s.name, s.state, s.round, s.total, s.completed, s.discarded, s.cancelled, s.running, s.waiting, s.percent,
        s.recent_rate, s.overall_rate, ceil(extract(epoch from s.eta))::bigint, s.created_at, s.sealed_at, s.finished_at,
        s.meta
    from (select id from unfinished union all select id from finished) listed
    cross join lateral task_queue.batch_status(listed.id) s
    order by s.finished_at desc nulls first, s.created_at desc
)sql"};

asio::awaitable<std::vector<BatchStatus>> list_current_batches(db::Session& session, int unfinished, int finished) {
    const db::Rows rows = co_await session.execute(list_current_batches_sql, unfinished, finished);
    co_return db::map_rows(rows, status_from_row);
}

const db::Statement read_batch_loads_sql{"read_batch_loads", R"sql(
    select u.state, count(*), sum(u.total - u.completed - u.discarded - u.cancelled)::bigint
    from (
        select * from task_queue.batches b where b.finished_at is null and b.discarded = 0
        union all
        select * from task_queue.batches b where b.finished_at is null and b.discarded > 0
    ) u
    group by u.state
)sql"};

asio::awaitable<std::vector<BatchLoad>> read_batch_loads(db::Session& session) {
    const db::Rows rows = co_await session.execute(read_batch_loads_sql);
    co_return db::map_rows(rows, [](db::Row row) {
        return BatchLoad{
            .state = row.get<std::string>(0),
            .batches = row.get<std::int64_t>(1),
            .jobs_left = row.get<std::int64_t>(2),
        };
    });
}

const db::Statement read_batch_callbacks_sql{"read_batch_callbacks", R"sql(
    select f.name, s.name, u.name
    from task_queue.batches b
    left join task_queue.kinds f on f.id = b.on_finish_kind_id
    left join task_queue.kinds s on s.id = b.on_success_kind_id
    left join task_queue.kinds u on u.id = b.on_failure_kind_id
    where b.id = $1::uuid
)sql"};

asio::awaitable<BatchCallbacks> read_batch_callbacks(db::Session& session, BatchId batch) {
    const db::Rows rows = co_await session.execute(read_batch_callbacks_sql, batch);
    if (rows.empty()) co_return BatchCallbacks{};
    const db::Row row = rows.front();
    co_return BatchCallbacks{
        .on_finish = row.get<std::optional<std::string>>(0),
        .on_success = row.get<std::optional<std::string>>(1),
        .on_failure = row.get<std::optional<std::string>>(2),
    };
}

// What is served leaves the batch, so what is not comes to its first rows. Index: ix_bundles_batch_id.
const db::Statement list_waiting_kinds_sql{"list_waiting_kinds", R"sql(
    select k.name, q.name, q.paused, case when bool_and(waiting.state in (0, 3)) then min(waiting.run_at) end
    from (
        select b.kind_id, b.queue_id, b.state, b.run_at
        from task_queue.bundles b
        where b.batch_id = any (array[$1::uuid]) and b.state <> 2
        order by b.batch_id, b.id
        limit 1000
    ) waiting
    join task_queue.kinds k on k.id = waiting.kind_id
    join task_queue.queues q on q.id = waiting.queue_id
    group by 1, 2, 3
    order by 1, 2
)sql"};

asio::awaitable<std::vector<WaitingKind>> list_waiting_kinds(db::Session& session, BatchId batch) {
    const db::Rows rows = co_await session.execute(list_waiting_kinds_sql, batch);
    co_return db::map_rows(rows, [](db::Row row) {
        return WaitingKind{
            .kind = row.get<std::string>(0),
            .queue = row.get<std::string>(1),
            .paused = row.get<bool>(2),
            .due_at = row.get<std::optional<db::TimePoint>>(3),
        };
    });
}

// History has no index on batches: the days in which the batch lived are read.
const db::Statement list_slow_jobs_sql{"list_slow_jobs", R"sql(
    select (f.id & ~127::bigint) + task_queue.first_job(f.members), k.name,
        round(1000 * extract(epoch from f.finished_at - coalesce(f.started_at, f.claimed_at)) / task_queue.count_jobs(f.members))::bigint,
        task_queue.count_jobs(f.members), f.args -> task_queue.element_of(f.id, task_queue.first_job(f.members))
    from task_queue.finished_bundles f
    join task_queue.kinds k on k.id = f.kind_id
    where f.batch_id = $1::uuid and f.state = 5 and f.claimed_at is not null
      and f.finished_at >= (select b.created_at from task_queue.batches b where b.id = $1::uuid)
      and f.finished_at <= (select coalesce(b.finished_at, now()) from task_queue.batches b where b.id = $1::uuid)
    order by 3 desc
    limit $2::integer
)sql"};

asio::awaitable<std::vector<SlowJob>> list_slow_jobs(db::Session& session, BatchId batch, int limit) {
    const db::Rows rows = co_await session.execute(list_slow_jobs_sql, batch, limit);
    co_return db::map_rows(rows, [](db::Row row) {
        return SlowJob{
            .job = row.get<JobId>(0),
            .kind = row.get<std::string>(1),
            .run_time = std::chrono::milliseconds(row.get<std::int64_t>(2)),
            .jobs = row.get<int>(3),
            .args = row.get<std::string>(4),
        };
    });
}

}  // namespace queue

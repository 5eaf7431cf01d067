#include "queue/progress.hpp"

#include "queue/statements.hpp"

namespace asio = boost::asio;

namespace queue {

// A row that is locked is about to end, perhaps with its handler's transaction: its progress matters to nobody any
// more, and whoever wrote it here would wait for that.
// held:    see finish_jobs for `id = any` and for what is not written here.
// The lease of a row that is only locked is not lost: the last select looks again, without a lock.
// reports: by binary search in what is held, as many of a row's jobs may report. A join would compare all pairs.
// Index: pk_bundles.
const db::Statement record_task_progress_sql{"record_task_progress", R"sql(
    with held as materialized (
        select b.id, b.claim_number, b.pending
        from task_queue.bundles b
        where b.id = any ($3::bigint[]) and b.worker_id = $1::bigint
        order by b.id
        for key share skip locked
    ), reports as materialized (
        select r.*,
            coalesce(
                (array(select id from held))[place] = row_id
                    and (array(select h.claim_number from held h))[place] = r.claim_number
                    and (array(select pending from held))[place] >> (job_id & 127)::integer & 1 = 1,
                false
            ) as is_held
        from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
            r (job_id, row_id, claim_number, done, total, message)
        cross join lateral (select width_bucket(row_id, array(select id from held)) as place) line
    ), written as (
        insert into task_queue.task_progress as p (job_id, done, total, message)
        select job_id, done, total, message
        from reports
        where is_held
        order by job_id
        on conflict (job_id) do update
        set done = excluded.done, total = excluded.total, message = excluded.message, updated_at = now()
    )
    select r.job_id
    from reports r
    where not r.is_held and not exists (
        select
        from task_queue.bundles b
        where b.id = any (array[r.row_id]) and b.worker_id = $1::bigint and b.claim_number = r.claim_number
          and b.pending >> (r.job_id & 127)::integer & 1 = 1
    )
)sql"};

asio::awaitable<std::vector<JobId>> record_task_progress(
    db::Session& session, WorkerId worker, std::span<const TaskProgress> progress
) {
    if (progress.empty()) co_return std::vector<JobId>{};
    std::vector<JobId> jobs;
    std::vector<RowId> row_ids;
    std::vector<ClaimNumber> claims;
    std::vector<std::int64_t> done;
    std::vector<std::int64_t> total;
    std::vector<std::string> messages;
    for (const TaskProgress& report : progress) {
        jobs.push_back(report.job);
        row_ids.push_back(report.row);
        claims.push_back(report.claim);
        done.push_back(report.done);
        total.push_back(report.total);
        messages.push_back(report.message);
    }
    const db::Rows lost =
        co_await session.execute(record_task_progress_sql, worker, jobs, row_ids, claims, done, total, messages);
    co_return db::map_rows(lost, [](db::Row row) { return row.get<JobId>(0); });
}

const db::Statement read_task_progress_sql{"read_task_progress", R"sql(
    select job_id, done, total, message, updated_at
    from task_queue.task_progress
    where job_id = any ($1::bigint[])
    order by job_id
)sql"};

asio::awaitable<std::vector<ReportedProgress>> read_task_progress(db::Session& session, std::span<const JobId> jobs) {
    const db::Rows rows =
        co_await session.execute(read_task_progress_sql, std::vector<JobId>(jobs.begin(), jobs.end()));
    co_return db::map_rows(rows, [](db::Row row) {
        return ReportedProgress{
            .job = row.get<JobId>(0),
            .done = row.get<std::int64_t>(1),
            .total = row.get<std::int64_t>(2),
            .message = row.get<std::string>(3),
            .updated_at = row.get<db::TimePoint>(4),
        };
    });
}

}  // namespace queue

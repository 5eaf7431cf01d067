#include "queue/finish.hpp"

#include "queue/statements.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace queue {

namespace {

double in_seconds(std::chrono::milliseconds duration) {
    return std::chrono::duration<double>(duration).count();
}

// The outcomes as parallel arrays: of rows, ascending by id as the statement needs them, and of leavers.
struct OutcomeArrays {
    explicit OutcomeArrays(std::span<const FinishedRow> finished) {
        std::map<std::pair<RowId, ClaimNumber>, std::size_t> places;
        for (const FinishedRow& row : finished) places.emplace(std::pair(row.row, row.claim), 0);
        for (auto& [lease, place] : places) {
            place = rows.size();
            rows.push_back(static_cast<std::int64_t>(lease.first));
            claims.push_back(static_cast<std::int64_t>(lease.second));
        }
        done.resize(rows.size());
        gone.resize(rows.size());
        reported.resize(rows.size());
        for (const FinishedRow& row : finished) add(row, places.at(std::pair(row.row, row.claim)));
    }

    std::vector<std::int64_t> rows, claims, done, gone, reported;
    std::vector<std::int64_t> jobs, leaver_claims;
    std::vector<std::int16_t> leaves;
    std::vector<std::string> payloads;
    std::vector<double> after, took;

private:
    void add(const FinishedRow& row, std::size_t place) {
        done[place] |= row.done;
        reported[place] |= row.reported;
        for (const Leaver& leaver : row.leavers) {
            if ((gone[place] & bit(leaver.n)) != 0) continue;
            gone[place] |= bit(leaver.n);
            jobs.push_back(static_cast<std::int64_t>(job_id(row.row, leaver.n)));
            leaver_claims.push_back(static_cast<std::int64_t>(row.claim));
            leaves.push_back(static_cast<std::int16_t>(leaver.as));
            payloads.push_back(leaver.payload);
            after.push_back(in_seconds(std::max(leaver.after, std::chrono::milliseconds(0))));
            took.push_back(leaver.took ? in_seconds(*leaver.took) : -1);
        }
    }
};

}  // namespace

// No statement here joins bundles to what was asked: such a join is a nested loop over all pairs, or a scan of the
// primary key, according to what the planner last knew of the table. Rows are found by `id = any`, and what belongs to
// a row by binary search (width_bucket) in the sorted array of ids.
//
// held:   locks in the order of ids, so that flushes and cancels cannot deadlock. Without `state = 2`, which a worker
// id
//         implies, the index on it cannot be taken: under an old snapshot it is full of dead entries.
// asked:  a full join, because only those are never planned as a nested loop.
// leaver: a job that was asked to stop is not run again.
// ended:  deletes by id, not by tid: a row may have changed between snapshot and lock (a cancel was requested).
// again:  a single stays in its row, which is deleted first and inserted anew. The last job of a bundle that began with
//         another is no single: its args would not be first.
// woken:   calls nothing where no job is available again at once.
// Index: pk_bundles.
const db::Statement finish_jobs_sql{"finish_jobs", R"sql(
    with held as materialized (
        select b.*,
            b.pending & ($4::bigint[])[width_bucket(b.id, $2::bigint[])]
                & ~($5::bigint[])[width_bucket(b.id, $2::bigint[])] as did,
            b.pending & ($5::bigint[])[width_bucket(b.id, $2::bigint[])] as went,
            b.pending & ($6::bigint[])[width_bucket(b.id, $2::bigint[])] as reported
        from task_queue.bundles b
        where b.id = any ($2::bigint[]) and b.worker_id = $1::bigint
          and b.claim_number = ($3::bigint[])[width_bucket(b.id, $2::bigint[])]
        order by b.id
        for update
    ),
    asked as materialized (
        select *
        from unnest($7::bigint[], $8::bigint[], $9::smallint[], $10::text[], $11::float8[], $12::float8[])
            o (job_id, claim_number, leave, payload, after, took)
        full join (
            select (h.id & ~127::bigint) + n as job_id, n, '[' || element || ']' as leaver_args, element,
                h.id as row_id, h.members as row_members, h.cancel_requested, h.claim_number, h.run_at, h.created_at,
                h.claimed_at, h.batch_id, h.kind_id, h.queue_id, h.priority, h.attempt, h.max_attempts, h.rescues,
                h.unique_key, h.meta, h.errors
            from held h
            cross join lateral json_array_elements(h.args) with ordinality e (element, nth)
            cross join lateral (
                select (case when h.id & 64 <> 0 then h.id & 63 else (h.id & 127) + nth - 1 end)::integer as n
            ) place
            where h.went <> 0 and (h.went >> n) & 1 = 1
        ) went using (job_id, claim_number)
    ),
    leaver as materialized (
        select *,
            case when leave in (0, 1) and (cancel_requested >> n) & 1 = 1 then 3 else leave end as becomes,
            1::bigint << n as own,
            case when row_members = 1::bigint << n and row_id & 63 = n then row_id else job_id + 64 end as own_row,
            case
                when leave in (0, 2, 3) and payload <> '' then task_queue.add_error(errors, attempt, payload)
                else errors
            end as failures,
            case when took >= 0 then now() - make_interval(secs => took) end as started_at
        from asked
        where row_id is not null and leave is not null
    ),
    ended as (
        delete from task_queue.bundles
        where id = any (array(select id from held where pending & ~(did | went) = 0))
        returning id
    ),
    going_on as (
        update task_queue.bundles b
        set members = b.members & ~(b.pending & ($5::bigint[])[width_bucket(b.id, $2::bigint[])]),
            pending = b.pending & ~(($4::bigint[])[width_bucket(b.id, $2::bigint[])]
                | ($5::bigint[])[width_bucket(b.id, $2::bigint[])]),
            cancel_requested = b.cancel_requested & ~(($4::bigint[])[width_bucket(b.id, $2::bigint[])]
                | ($5::bigint[])[width_bucket(b.id, $2::bigint[])])
        where b.id = any (array(select id from held where did | went <> 0 and pending & ~(did | went) <> 0))
    ),
    again as (
        insert into task_queue.bundles (
            id, members, pending, run_at, created_at, batch_id, kind_id, queue_id, priority, state, attempt,
            max_attempts, rescues, unique_key, meta, errors, args
        )
        select own_row, own, own, now() + make_interval(secs => after), created_at, batch_id, kind_id, queue_id,
            priority, case when after = 0 then 1 when becomes = 0 then 3 else 0 end,
            case when becomes = 1 then greatest(attempt - 1, 0) else attempt end, max_attempts, rescues, unique_key,
            meta, case when becomes = 0 then failures else errors end, leaver_args::json
        from leaver
        where becomes in (0, 1) and (select count(*) from ended) >= 0
    ),
    history as (
        insert into task_queue.finished_bundles (
            id, members, state, claim_number, worker_id, created_at, claimed_at, batch_id, kind_id, queue_id, priority,
            attempt, max_attempts, unique_key, meta, errors, args
        )
        select id, members & ~went, 5, claim_number, worker_id, created_at, claimed_at, batch_id, kind_id, queue_id,
            priority, attempt, max_attempts, unique_key, meta, errors, args
        from held
        where pending & ~(did | went) = 0 and members & ~went <> 0 and $13::boolean
    ),
    leaver_history as (
        insert into task_queue.finished_bundles (
            id, members, state, claim_number, worker_id, created_at, claimed_at, started_at, batch_id, kind_id,
            queue_id, priority, attempt, max_attempts, unique_key, meta, errors, result, args
        )
        select job_id + 64, own, case when becomes = 4 then 5 else 6 end, claim_number, $1::bigint, created_at,
            claimed_at, started_at, batch_id, kind_id, queue_id, priority, attempt, max_attempts, unique_key, meta,
            case when becomes = 4 then errors else failures end, case when becomes = 4 then payload::json end,
            leaver_args::json
        from leaver
        where (becomes = 4 and $13::boolean) or (becomes = 3 and $14::boolean)
    ),
    dead as (
        insert into task_queue.dead_jobs (
            id, created_at, worker_id, batch_id, kind_id, queue_id, priority, attempt, max_attempts, rescues,
            unique_key, error, errors, meta, args
        )
        select job_id, created_at, $1::bigint, batch_id, kind_id, queue_id, priority, attempt, max_attempts, rescues,
            unique_key, payload, failures, meta, element
        from leaver
        where becomes = 2
    ),
    counted as (
        insert into task_queue.batch_changes (batch_id, completed, discarded, cancelled)
        select batch_id, sum(completed), sum(discarded), sum(cancelled)
        from (
            select batch_id, task_queue.count_jobs(did) as completed, 0 as discarded, 0 as cancelled
            from held
            where did <> 0
            union all
            select batch_id, (becomes = 4)::integer, (becomes = 2)::integer, (becomes = 3)::integer
            from leaver
            where becomes >= 2
        ) outcomes
        where batch_id is not null
        group by batch_id
    ),
    progress as (
        delete from task_queue.task_progress
        where job_id = any (array(
            select (id & ~127::bigint) + n
            from held
            cross join generate_series(0, 62) n
            where reported <> 0 and ((did | went) & reported >> n) & 1 = 1
        ))
    ),
    woken as materialized (
        select task_queue.wake_workers(name)
        from task_queue.queues
        where id in (select queue_id from leaver where becomes in (0, 1) and after = 0)
    )
    select id
    from unnest($2::bigint[]) id
    where id not in (select id from held) and (select count(*) from woken) >= 0
)sql"};

boost::asio::awaitable<std::vector<RowId>> finish_jobs(
    db::Session& session, WorkerId worker, std::span<const FinishedRow> finished, FinishOptions options
) {
    if (finished.empty()) co_return std::vector<RowId>();
    const OutcomeArrays outcomes(finished);
    const db::Rows rows = co_await session.execute(
        finish_jobs_sql,
        worker,
        outcomes.rows,
        outcomes.claims,
        outcomes.done,
        outcomes.gone,
        outcomes.reported,
        outcomes.jobs,
        outcomes.leaver_claims,
        outcomes.leaves,
        outcomes.payloads,
        outcomes.after,
        outcomes.took,
        options.keep_completed,
        options.keep_cancelled
    );
    co_return db::map_rows(rows, [](const db::Row& row) { return row.get<RowId>(0); });
}

}  // namespace queue

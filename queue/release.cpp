#include "queue/release.hpp"

#include "queue/statements.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace queue {

// given:   a job below one that goes on is not handed back, so that the piece that keeps the row holds its lowest job
//          and the new row cannot have the same id.
// See finish_jobs for `id = any`, width_bucket and what is not written in held.
// Index: pk_bundles.
const db::Statement release_jobs_sql{"release_jobs", R"sql(
    with held as materialized (
        select b.*, b.pending & ($4::bigint[])[width_bucket(b.id, $2::bigint[])] as unstarted,
            ($5::float8[])[width_bucket(b.id, $2::bigint[])] as after
        from task_queue.bundles b
        where b.id = any ($2::bigint[]) and b.worker_id = $1::bigint
          and b.claim_number = ($3::bigint[])[width_bucket(b.id, $2::bigint[])]
        order by b.id
        for update
    ),
    given as materialized (
        select *,
            case
                when unstarted = pending then pending
                else unstarted & ~((pending & ~unstarted & -(pending & ~unstarted)) - 1)
            end as gives
        from held
    ),
    whole as (
        update task_queue.bundles b
        set state = case when ($5::float8[])[width_bucket(b.id, $2::bigint[])] > 0 then 0 else 1 end,
            run_at = case
                when ($5::float8[])[width_bucket(b.id, $2::bigint[])] > 0
                then now() + make_interval(secs => ($5::float8[])[width_bucket(b.id, $2::bigint[])])
                else b.run_at
            end,
            worker_id = null, claimed_at = null, attempt = greatest(b.attempt - 1, 0), strikes = 0
        where id = any (array(select id from given where gives = pending))
    ),
    shortened as (
        update task_queue.bundles b
        set members = b.members & ~(select gives from given where given.id = b.id),
            pending = b.pending & ~(select gives from given where given.id = b.id),
            cancel_requested = b.cancel_requested & ~(select gives from given where given.id = b.id)
        where b.id = any (array(select id from given where gives <> 0 and gives <> pending))
    ),
    returned as (
        insert into task_queue.bundles (
            id, members, pending, cancel_requested, run_at, created_at, batch_id, kind_id, queue_id, priority, state,
            attempt, max_attempts, rescues, meta, args
        )
        select piece_id, piece, piece, cancel_requested & piece,
            case when after > 0 then now() + make_interval(secs => after) else run_at end, created_at, batch_id, kind_id,
            queue_id, priority, case when after > 0 then 0 else 1 end, greatest(attempt - 1, 0), max_attempts, rescues, meta,
            piece_args
        from given
        cross join lateral task_queue.pieces(id, gives, 63, args)
        where gives <> 0 and gives <> pending
    ),
    woken as materialized (
        select task_queue.wake_workers(name)
        from task_queue.queues
        where id in (select queue_id from given where gives <> 0 and after = 0)
    )
    select id, claim_number, gives
    from given
    where gives <> 0 and (select count(*) from woken) >= 0
)sql"};

boost::asio::awaitable<std::vector<Unstarted>> release_jobs(
    db::Session& session, WorkerId worker, std::span<const Unstarted> unstarted
) {
    if (unstarted.empty()) co_return std::vector<Unstarted>();
    std::map<std::pair<RowId, ClaimNumber>, Unstarted> by_lease;
    for (const Unstarted& row : unstarted) {
        Unstarted& back = by_lease[std::pair(row.row, row.claim)];
        back.jobs |= row.jobs;
        back.after = std::max(back.after, row.after);
    }
    std::vector<RowId> rows;
    std::vector<ClaimNumber> claims;
    std::vector<Mask> jobs;
    std::vector<double> after;
    for (const auto& [lease, back] : by_lease) {
        rows.push_back(lease.first);
        claims.push_back(lease.second);
        jobs.push_back(back.jobs);
        after.push_back(std::chrono::duration<double>(back.after).count());
    }
    const db::Rows released = co_await session.execute(release_jobs_sql, worker, rows, claims, jobs, after);
    co_return db::map_rows(released, [](const db::Row& row) {
        return Unstarted{.row = row.get<RowId>(0), .claim = row.get<ClaimNumber>(1), .jobs = row.get<Mask>(2)};
    });
}

// Index: ix_bundles_worker_id.
const db::Statement release_claims_sql{"release_claims", R"sql(
    with returned as (
        update task_queue.bundles
        set state = 1, worker_id = null, claimed_at = null, attempt = greatest(attempt - 1, 0), strikes = 0
        where id = any (array(
            select id
            from task_queue.bundles
            where worker_id = any (array[$1::bigint]) and state = 2 and claim_number = any ($2::bigint[])
            order by worker_id, id
            for update
        ))
        returning queue_id
    ),
    woken as materialized (
        select task_queue.wake_workers(name) from task_queue.queues where id in (select queue_id from returned)
    )
    select (select count(*) from returned), (select count(*) from woken)
)sql"};

boost::asio::awaitable<std::int64_t> release_claims(
    db::Session& session, WorkerId worker, std::span<const ClaimNumber> claims
) {
    const std::vector<ClaimNumber> numbers(claims.begin(), claims.end());
    const db::Rows rows = co_await session.execute(release_claims_sql, worker, numbers);
    co_return rows.front().get<std::int64_t>(0);
}

}  // namespace queue

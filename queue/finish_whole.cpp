#include "queue/finish.hpp"
#include "queue/statements.hpp"

#include <algorithm>
#include <utility>

namespace queue {

// `id = any` visits a sorted array in its order, so that locks are taken in the order of ids without a locking select
// first. What belongs to a row is found as in finish_jobs.
// Index: pk_bundles.
const db::Statement finish_whole_rows_sql{"finish_whole_rows", R"sql(
    with ended as (
        delete from task_queue.bundles
        where id = any ($2::bigint[]) and worker_id = $1::bigint
          and claim_number = ($3::bigint[])[width_bucket(id, $2::bigint[])]
          and pending & ~($4::bigint[])[width_bucket(id, $2::bigint[])] = 0
        returning id, members, pending, claim_number, worker_id, created_at, claimed_at, batch_id, kind_id, queue_id,
            priority, attempt, max_attempts, unique_key, meta, errors, args
    ),
    history as (
        insert into task_queue.finished_bundles (
            id, members, state, claim_number, worker_id, created_at, claimed_at, batch_id, kind_id, queue_id, priority,
            attempt, max_attempts, unique_key, meta, errors, args
        )
        select id, members, 5, claim_number, worker_id, created_at, claimed_at, batch_id, kind_id, queue_id, priority,
            attempt, max_attempts, unique_key, meta, errors, args
        from ended
        where $5::boolean
    ),
    counted as (
        insert into task_queue.batch_changes (batch_id, completed)
        select batch_id, sum(task_queue.count_jobs(pending)) from ended where batch_id is not null group by batch_id
    )
    select id from unnest($2::bigint[]) id where id not in (select id from ended)
)sql"};

boost::asio::awaitable<std::vector<RowId>> finish_whole_rows(
    db::Session& session, WorkerId worker, std::span<const FinishedRow> whole, FinishOptions options
) {
    if (whole.empty()) co_return std::vector<RowId>();
    std::vector<const FinishedRow*> sorted;
    sorted.reserve(whole.size());
    for (const FinishedRow& row : whole) sorted.push_back(&row);
    std::ranges::sort(sorted, {}, [](const FinishedRow* row) { return row->row; });
    std::vector<std::int64_t> rows, claims, done;
    rows.reserve(sorted.size());
    claims.reserve(sorted.size());
    done.reserve(sorted.size());
    for (const FinishedRow* row : sorted) {
        rows.push_back(static_cast<std::int64_t>(row->row));
        claims.push_back(static_cast<std::int64_t>(row->claim));
        done.push_back(row->done);
    }
    const db::Rows left =
        co_await session.execute(finish_whole_rows_sql, worker, rows, claims, done, options.keep_completed);
    co_return db::map_rows(left, [](const db::Row& row) { return row.get<RowId>(0); });
}

}  // namespace queue

#include "queue/claim.hpp"

#include "queue/statements.hpp"

#include <algorithm>
#include <utility>

namespace queue {

namespace {

// A claim of so many jobs takes its last row whole: up to 62 jobs more, and cutting costs as much as claiming five rows
// (100 us). claim_bundles_sql has the same number.
constexpr int least_whole = 500;

Bundle bundle_from_row(const db::Row& row) {
    return {
        .id = row.get<RowId>(0),
        .kind = row.get<KindId>(1),
        .queue = row.get<QueueId>(2),
        .priority = row.get<std::int16_t>(3),
        .members = row.get<Mask>(4),
        .pending = row.get<Mask>(5),
        .cancel_requested = row.get<Mask>(6),
        .cut = row.get<bool>(7),
        .attempt = row.get<int>(8),
        .max_attempts = row.get<int>(9),
        .rescues = row.get<int>(10),
        .strikes = row.get<int>(11),
        .batch = row.get<std::optional<std::string>>(12),
        .run_at = row.get<db::TimePoint>(13),
        .args = row.get<std::string>(14),
        .meta = row.get<std::optional<std::string>>(15).value_or(""),
        .more = row.get<bool>(16),
    };
}

// The lanes as the parallel arrays that the statements take.
struct LaneArrays {
    explicit LaneArrays(const std::vector<LaneCursor>& lanes) {
        for (const LaneCursor& lane : lanes) {
            queues.push_back(static_cast<std::int16_t>(lane.queue));
            priorities.push_back(lane.priority);
            after.push_back(static_cast<std::int64_t>(lane.after));
            until.push_back(static_cast<std::int64_t>(lane.until));
        }
    }
    std::vector<std::int16_t> queues;
    std::vector<std::int16_t> priorities;
    std::vector<std::int64_t> after;
    std::vector<std::int64_t> until;
};

// `returning` promises no order, though they come in the right one as a rule.
void sort_by_lane(std::vector<Bundle>& bundles, const std::vector<LaneCursor>& lanes) {
    std::size_t place = 0;  // of the last lane looked for: the next row is most often of the same
    const auto order = [&](const Bundle& bundle) {
        const auto is_its = [&](const LaneCursor& lane) {
            return lane.queue == bundle.queue && lane.priority == bundle.priority;
        };
        if (place == lanes.size() || !is_its(lanes[place]))
            place = static_cast<std::size_t>(std::ranges::find_if(lanes, is_its) - lanes.begin());
        return std::pair(place, bundle.id);
    };
    if (!std::ranges::is_sorted(bundles, {}, order)) std::ranges::sort(bundles, {}, order);
}

}  // namespace

// The claim that may cut its last row; claim_whole_bundles_sql (claim_whole.cpp) tells of found, total and counted.
// worth:   how many of a row's jobs may be claimed: size is 1 where a kind's jobs must be alone in their row.
// taken:   those whose jobs are wanted, and how many jobs of the last one.
// claimed: by tid, a row that changed between snapshot and lock is not found. So the rest of a cut row is made from
//          what was updated, never from what was locked.
// Index: ix_bundles_queue_id_priority_id.
const db::Statement claim_bundles_sql{"claim_bundles", R"sql(
    with found as materialized (
        select line.*, least(jobs, size) as worth
        from unnest($3::smallint[], $4::smallint[], $5::bigint[], $6::bigint[])
            lane (queue_id, priority, after, until)
        cross join lateral (
            select b.ctid as tid, b.id, b.pending, task_queue.count_jobs(b.pending) as jobs,
                task_queue.most_bytes(b.args, b.members) as bytes,
                case when b.kind_id = any ($9::integer[]) then 1 else $7::integer end as size
            from task_queue.bundles b
            where b.queue_id = any (array[lane.queue_id]) and b.priority = lane.priority and b.state = 1
              and b.id > lane.after and b.id <= lane.until and b.kind_id <> all ($11::integer[])
            order by b.queue_id, b.id
            limit $8::integer
            for update skip locked
        ) line
        where exists (select from task_queue.workers where id = $1::bigint and dead_at is null)
        limit $8::integer
    ),
    total as materialized (
        select count(*) as rows, coalesce(sum(worth), 0) as jobs from found
    ),
    counted as materialized (
        select *, sum(worth) over line - worth as before, sum(bytes) over line - bytes as bytes_before
        from found
        window line as (rows unbounded preceding)
    ),
    taken as materialized (
        select tid, id, pending, size, jobs,
            (case when $7::integer < 500 then least(worth, $7::integer - before) else worth end)::integer as gives
        from counted
        where before < $7::integer and bytes_before < 16777216
    ),
    cut as materialized (
        select id, size,
            pending & ~(
                select bit_or(1::bigint << n)
                from (
                    select n from generate_series(0, 62) n where (pending >> n) & 1 = 1 order by n limit gives
                ) first
            ) as rest
        from taken
        where gives < jobs
    ),
    claimed as (
        update task_queue.bundles b
        set state = 2, worker_id = $1::bigint, claim_number = $2::bigint, claimed_at = now(), attempt = b.attempt + 1,
            members = b.members
                & ~coalesce((array(select rest from cut))[array_position(array(select id from cut), b.id)], 0),
            pending = b.pending
                & ~coalesce((array(select rest from cut))[array_position(array(select id from cut), b.id)], 0)
        where b.ctid = any (array(select tid from taken))
        returning b.id, b.members, b.pending, b.cancel_requested, b.run_at, b.created_at, b.batch_id, b.kind_id,
            b.queue_id, b.priority, b.attempt, b.max_attempts, b.rescues, b.strikes, b.meta, b.args
    ),
    returned as (
        insert into task_queue.bundles (
            id, members, pending, cancel_requested, run_at, created_at, batch_id, kind_id, queue_id, priority, state,
            attempt, max_attempts, rescues, meta, args
        )
        select piece_id, piece, piece, cancel_requested & piece, run_at, created_at, batch_id, kind_id, queue_id,
            priority, 1, attempt - 1, max_attempts, rescues, meta, piece_args
        from cut
        join claimed using (id)
        cross join lateral task_queue.pieces(id, rest, size, args)
    ),
    marked as (
        update task_queue.workers set hungry = true
        where id = $1::bigint and not hungry and $10::boolean
          and (select rows < $8::integer and jobs < $7::integer from total)
          and (select count(*) from taken) = (select rows from total)
    )
    select id, kind_id, queue_id, priority, members, pending, cancel_requested, id = any (array(select id from cut)),
        attempt, max_attempts, rescues, strikes, batch_id, run_at, args, meta,
        (select count(*) from taken) < (select rows from total)
    from claimed
)sql"};

boost::asio::awaitable<std::vector<Bundle>> claim_bundles(db::Session& session, ClaimRequest request) {
    const LaneArrays lanes(request.lanes);
    const auto claim = [&](const db::Statement& statement, const auto&... more) {
        return session.execute(
            statement,
            request.worker,
            request.claim,
            lanes.queues,
            lanes.priorities,
            lanes.after,
            lanes.until,
            request.jobs,
            request.rows,
            more...
        );
    };
    const bool whole = request.jobs >= least_whole && request.own_row.empty();
    const db::Rows rows =
        whole ? co_await claim(claim_whole_bundles_sql, request.skipped, request.mark_hungry)
              : co_await claim(claim_bundles_sql, request.own_row, request.mark_hungry, request.skipped);
    std::vector<Bundle> bundles = db::map_rows(rows, bundle_from_row);
    sort_by_lane(bundles, request.lanes);
    co_return bundles;
}

// The strike is counted before the job runs, and taken back by whatever outcome it reports.
// Index: ix_bundles_queue_id_priority_id_suspect.
const db::Statement claim_suspect_sql{"claim_suspect", R"sql(
    with found as materialized (
        select line.tid
        from unnest($3::smallint[], $4::smallint[]) with ordinality lane (queue_id, priority, place)
        cross join lateral (
            select b.ctid as tid
            from task_queue.bundles b
            where b.queue_id = any (array[lane.queue_id]) and b.priority = lane.priority and b.state = 4
            order by b.queue_id, b.id
            limit 1
            for update skip locked
        ) line
        where exists (select from task_queue.workers where id = $1::bigint and dead_at is null)
        limit 1
    )
    update task_queue.bundles
    set state = 2, worker_id = $1::bigint, claim_number = $2::bigint, claimed_at = now(), attempt = attempt + 1,
        strikes = strikes + 1
    where ctid = any (array(select tid from found))
    returning id, kind_id, queue_id, priority, members, pending, cancel_requested, false, attempt, max_attempts,
        rescues, strikes, batch_id, run_at, args, meta, false
)sql"};

boost::asio::awaitable<std::optional<Bundle>> claim_suspect(db::Session& session, ClaimRequest request) {
    const LaneArrays lanes(request.lanes);
    const db::Rows rows =
        co_await session.execute(claim_suspect_sql, request.worker, request.claim, lanes.queues, lanes.priorities);
    if (rows.empty()) co_return std::nullopt;
    co_return bundle_from_row(rows.front());
}

// Index: ix_bundles_queue_id_priority_id_suspect.
const db::Statement is_suspect_waiting_sql{"is_suspect_waiting", R"sql(
    select exists (
        select
        from unnest($1::smallint[], $2::smallint[]) lane (queue_id, priority)
        cross join lateral (
            select
            from task_queue.bundles b
            where b.queue_id = any (array[lane.queue_id]) and b.priority = lane.priority and b.state = 4
            order by b.queue_id, b.id
            limit 1
        ) line
    )
)sql"};

boost::asio::awaitable<bool> is_suspect_waiting(db::Session& session, std::vector<LaneCursor> lanes) {
    const LaneArrays arrays(lanes);
    const db::Rows rows = co_await session.execute(is_suspect_waiting_sql, arrays.queues, arrays.priorities);
    co_return rows.front().get<bool>(0);
}

}  // namespace queue

#include "queue/leader.hpp"

#include "queue/statements.hpp"

namespace queue {

const db::Statement look_sql{"look", R"sql(
    select leads, workers, beats, next_run, coalesce(changes, false), coalesce(batches, false),
        coalesce(rescues, false), coalesce(last_base, 0), connections
    from task_queue.look(
        $1::bigint, $2::bigint * interval '1 millisecond', $3::bigint,
        timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::bigint
    )
)sql"};

boost::asio::awaitable<Look> look(db::Session& session, LookRequest request) {
    const db::Rows rows = co_await session.execute(
        look_sql,
        request.worker,
        std::int64_t{request.lease.count()},
        request.after,
        request.due_from.time_since_epoch().count(),
        request.changes_after
    );
    const db::Row row = rows.front();
    Look look;
    look.leads = row.get<bool>(0);
    const auto workers = row.get<std::vector<std::int64_t>>(1);
    const auto beats = row.get<std::vector<std::int64_t>>(2);
    for (std::size_t i = 0; i < workers.size(); ++i) look.beats.push_back({WorkerId{workers[i]}, beats.at(i)});
    if (const auto next = row.get<std::optional<std::int64_t>>(3)) look.next_run = std::chrono::milliseconds(*next);
    look.changes = row.get<bool>(4);
    look.batches = row.get<bool>(5);
    look.rescues = row.get<bool>(6);
    look.last = row.get<RowId>(7);
    look.connections = row.get<std::int64_t>(8);
    co_return look;
}

const db::Statement yield_leadership_sql{"yield_leadership", R"sql(
    delete from task_queue.leaders where worker_id = $1::bigint
)sql"};

boost::asio::awaitable<void> yield_leadership(db::Session& session, WorkerId worker) {
    co_await session.execute(yield_leadership_sql, worker);
}

}  // namespace queue

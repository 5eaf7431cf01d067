#include "queue/handlers.hpp"

#include "queue/statements.hpp"

namespace queue {

const db::Statement find_handlers_sql{"find_handlers", R"sql(
    select k.id, q.id, k.name, exists (
        select
        from task_queue.workers w
        where w.dead_at is null and k.name = any (w.kinds) and (w.queues = '{}' or q.name = any (w.queues))
    )
    from unnest($1::integer[], $2::smallint[]) asked (kind_id, queue_id)
    join task_queue.kinds k on k.id = asked.kind_id
    join task_queue.queues q on q.id = asked.queue_id
)sql"};

boost::asio::awaitable<std::vector<Handlers>> find_handlers(db::Session& session, std::span<const KindInQueue> asked) {
    std::vector<KindId> kinds;
    std::vector<QueueId> queues;
    for (const KindInQueue& one : asked) {
        kinds.push_back(one.kind);
        queues.push_back(one.queue);
    }
    const db::Rows rows = co_await session.execute(find_handlers_sql, kinds, queues);
    co_return db::map_rows(rows, [](const db::Row& row) {
        return Handlers{
            .of = {.kind = row.get<KindId>(0), .queue = row.get<QueueId>(1)},
            .kind = row.get<std::string>(2),
            .any_live = row.get<bool>(3),
        };
    });
}

}  // namespace queue

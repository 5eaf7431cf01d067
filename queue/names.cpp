#include "queue/names.hpp"

#include "queue/statements.hpp"

#include <map>

namespace queue {

namespace {

Queue queue_from_row(const db::Row& row) {
    return {
        .id = row.get<QueueId>(0),
        .name = row.get<std::string>(1),
        .paused = row.get<bool>(2),
        .concurrency = row.get<std::optional<int>>(3),
    };
}

// The rows of the names asked for, in their order. `asked` and T have a member `name`.
template <class T, class Asked>
std::vector<T> in_order(std::vector<T> found, std::span<const Asked> asked) {
    std::map<std::string, T> by_name;
    for (T& one : found) by_name.emplace(one.name, one);
    std::vector<T> ordered;
    for (const Asked& one : asked) ordered.push_back(by_name.at(one.name));
    return ordered;
}

}  // namespace

const db::Statement read_kinds_sql{"read_kinds", "select id, name from task_queue.kinds order by id"};

boost::asio::awaitable<std::vector<KindName>> read_kinds(db::Session& session) {
    const db::Rows rows = co_await session.execute(read_kinds_sql);
    co_return db::map_rows(rows, [](const db::Row& row) {
        return KindName{.id = row.get<KindId>(0), .name = row.get<std::string>(1)};
    });
}

// In the order of names, so that two workers that start at once do not deadlock.
const db::Statement intern_kinds_sql{"intern_kinds", R"sql(
    insert into task_queue.kinds as k (name, bundle)
    select distinct on (name) name, nullif(bundle, 0)
    from unnest($1::text[], $2::smallint[]) kind (name, bundle)
    order by name
    on conflict (name) do update set bundle = excluded.bundle, updated_at = now()
    returning id, name
)sql"};

boost::asio::awaitable<std::vector<KindName>> intern_kinds(db::Session& session, std::span<const NewKind> kinds) {
    std::vector<std::string> names;
    std::vector<std::int16_t> bundles;
    for (const NewKind& kind : kinds) {
        names.push_back(kind.name);
        bundles.push_back(kind.bundle.value_or(0));
    }
    const db::Rows rows = co_await session.execute(intern_kinds_sql, names, bundles);
    std::vector<KindName> interned = db::map_rows(rows, [](const db::Row& row) {
        return KindName{.id = row.get<KindId>(0), .name = row.get<std::string>(1)};
    });
    co_return in_order(std::move(interned), kinds);
}

const db::Statement read_queues_sql{
    "read_queues", "select id, name, paused, concurrency from task_queue.queues order by id"
};

boost::asio::awaitable<std::vector<Queue>> read_queues(db::Session& session) {
    const db::Rows rows = co_await session.execute(read_queues_sql);
    co_return db::map_rows(rows, queue_from_row);
}

// paused: 0 or 1, or -1 to leave it.
const db::Statement declare_queues_sql{"declare_queues", R"sql(
    insert into task_queue.queues as q (name, concurrency, paused)
    select distinct on (name) name, nullif(concurrency, 0), paused = 1
    from unnest($1::text[], $2::integer[], $3::smallint[]) queue (name, concurrency, paused)
    order by name
    on conflict (name) do update
    set concurrency = excluded.concurrency, updated_at = now(),
        paused = case ($3::smallint[])[array_position($1::text[], q.name)]
            when -1 then q.paused
            else excluded.paused
        end
    returning id, name, paused, concurrency
)sql"};

boost::asio::awaitable<std::vector<Queue>> declare_queues(
    db::Session& session, std::span<const QueueDeclaration> queues
) {
    std::vector<std::string> names;
    std::vector<std::int32_t> concurrency;
    std::vector<std::int16_t> paused;
    for (const QueueDeclaration& queue : queues) {
        names.push_back(queue.name);
        concurrency.push_back(queue.concurrency.value_or(0));
        paused.push_back(static_cast<std::int16_t>(queue.paused ? *queue.paused : -1));
    }
    const db::Rows rows = co_await session.execute(declare_queues_sql, names, concurrency, paused);
    co_return in_order(db::map_rows(rows, queue_from_row), queues);
}

}  // namespace queue

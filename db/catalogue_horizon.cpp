#include "db/catalogue_horizon.hpp"

namespace asio = boost::asio;

namespace db {

namespace {

// Since PostgreSQL 14 sessions of other databases hold back only what all databases share.
const Statement read_horizon_holders_sql{"read_horizon_holders", R"sql(
    select *
    from (
        select 'session' as what, coalesce(nullif(a.application_name, ''), a.usename, '') as name, a.pid as pid,
            coalesce(a.state, '') as state, extract(epoch from clock_timestamp() - a.xact_start)::bigint as age,
            greatest(age(a.backend_xmin), age(a.backend_xid))::bigint as transactions
        from pg_stat_activity a
        where a.datname = current_database() and a.pid <> pg_backend_pid()
          and (a.backend_xmin is not null or a.backend_xid is not null)
        union all
        select 'prepared transaction', p.gid, null, '', extract(epoch from clock_timestamp() - p.prepared)::bigint,
            age(p.transaction)::bigint
        from pg_prepared_xacts p
        where p.database = current_database()
        union all
        select 'replication slot', s.slot_name, s.active_pid, case when s.xmin is null then 'catalogues' else '' end,
            null, greatest(age(s.xmin), age(s.catalog_xmin))::bigint
        from pg_replication_slots s
        where s.xmin is not null or s.catalog_xmin is not null
    ) holders
    order by transactions desc, age desc nulls last
)sql"};

const Statement count_connections_sql{"count_connections", R"sql(
    select count(*)::integer from pg_stat_activity where backend_type = 'client backend'
)sql"};

const Statement read_clock_sql{"read_clock", R"sql(
    select clock_timestamp()
)sql"};

}  // namespace

asio::awaitable<std::vector<HorizonHolder>> read_horizon_holders(Session& session) {
    const Rows rows = co_await session.execute(read_horizon_holders_sql);
    co_return map_rows(rows, [](const Row& row) {
        HorizonHolder holder{
            .what = row.get<std::string>(0),
            .name = row.get<std::string>(1),
            .pid = row.get<std::optional<int>>(2),
            .state = row.get<std::string>(3),
            .transactions = row.get<std::int64_t>(5),
        };
        if (!row.is_null(4)) holder.age = std::chrono::seconds(row.get<std::int64_t>(4));
        return holder;
    });
}

asio::awaitable<int> count_connections(Session& session) {
    const Rows rows = co_await session.execute(count_connections_sql);
    co_return rows.front().get<int>(0);
}

asio::awaitable<TimePoint> read_clock(Session& session) {
    const Rows rows = co_await session.execute(read_clock_sql);
    co_return rows.front().get<TimePoint>(0);
}

}  // namespace db

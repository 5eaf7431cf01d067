#include "db/catalogue_schema.hpp"

namespace asio = boost::asio;

namespace db {

namespace {

// nth: of the functions of one name.
const Statement find_missing_sql{"find_missing", R"sql(
    select o.place::integer
    from (
        select w.*, to_regnamespace('task_queue') as schema, split_part(w.name, '.', 1) as of_table,
            split_part(w.name, '.', 2) as part, row_number() over (partition by w.kind, w.name order by w.place) as nth
        from unnest($1::text[], $2::text[], $3::text[]) with ordinality w (kind, name, body, place)
    ) o
    cross join lateral (
        select count(*) as found, coalesce(bool_or(p.prosrc = o.body), false) as same_body
        from pg_proc p
        where o.kind in ('function', 'body') and p.pronamespace = o.schema and p.proname = o.name
    ) functions
    left join pg_class t on o.kind in ('column', 'constraint') and t.relnamespace = o.schema and t.relname = o.of_table
    where not case o.kind
        when 'function' then functions.found >= o.nth
        when 'body' then functions.found = 0 or functions.same_body
        when 'column' then t.oid is null or exists (
            select from pg_attribute a where a.attrelid = t.oid and a.attname = o.part and not a.attisdropped
        )
        when 'constraint' then t.oid is null or exists (
            select from pg_constraint k where k.conrelid = t.oid and k.conname = o.part
        )
        when 'trigger' then exists (
            select
            from pg_trigger g
            join pg_class c on c.oid = g.tgrelid
            where c.relnamespace = o.schema and g.tgname = o.name and g.tgenabled <> 'D'
        )
        else exists (
            select
            from pg_class c
            left join pg_index i on i.indexrelid = c.oid
            where c.relnamespace = o.schema and c.relname = o.name and coalesce(i.indisvalid, true)
        )
    end
    order by o.place
)sql"};

}  // namespace

asio::awaitable<std::vector<SchemaObject>> find_missing(Session& session, std::vector<SchemaObject> objects) {
    std::vector<std::string> kinds;
    std::vector<std::string> names;
    std::vector<std::string> texts;
    for (const SchemaObject& object : objects) {
        kinds.push_back(object.kind);
        names.push_back(object.name);
        texts.push_back(object.text);
    }
    const Rows rows = co_await session.execute(find_missing_sql, kinds, names, texts);
    co_return map_rows(rows, [&](const Row& row) { return objects.at(static_cast<std::size_t>(row.get<int>(0)) - 1); });
}

}  // namespace db

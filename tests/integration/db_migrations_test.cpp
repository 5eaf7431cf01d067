// What the migrations leave in the database, and what one that fails leaves.
#include "db/error.hpp"
#include "db/migrations.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/io_context.hpp>

#include <string>

namespace {

// The rows of a query as lines, for a failure that shows the offenders.
std::string lines(const tests::TestDatabase& database, const std::string& sql) {
    std::string text;
    for (const auto& row : database.psql(sql)) text += row.at(0) + "\n";
    return text;
}

// "id_members" of the columns of a constraint or an index.
std::string columns_of(const std::string& table, const std::string& numbers) {
    return "(select string_agg(attname, '_' order by k.place) from unnest(" + numbers +
           ") with ordinality k (number, place) join pg_attribute on attrelid = " + table + " and attnum = k.number)";
}

const std::string tables =
    "pg_class t where t.relnamespace = 'task_queue'::regnamespace and t.relkind in ('r', 'p') and not relispartition";

}  // namespace

TEST_CASE("constraints and indexes have the names that their tables and columns give", "[db][migrations]") {
    const tests::TestDatabase database;
    CHECK(lines(
              database,
              "select conname from (select c.conname, c.contype, t.relname, " + columns_of("c.conrelid", "c.conkey") +
                  " columns, (select relname from pg_class f where f.oid = c.confrelid) referred "
                  "from pg_constraint c join pg_class t on t.oid = c.conrelid "
                  "where c.connamespace = 'task_queue'::regnamespace and not t.relispartition) c "
                  "where conname not like case contype when 'p' then 'pk_' || relname "
                  "when 'u' then 'uq_' || relname || '_' || columns "
                  "when 'f' then 'fk_' || relname || '_' || columns || '_' || referred "
                  "when 'c' then 'ck_' || relname || '_%' else '' end"
    )
              .empty());
    // A partial index, or one that only includes a column more, ends in what tells it from its neighbour.
    CHECK(lines(
              database,
              "select i.relname from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t "
              "on t.oid = x.indrelid where i.relnamespace = 'task_queue'::regnamespace and not t.relispartition "
              "and not exists (select from pg_constraint where conindid = i.oid) "
              "and i.relname !~ (case when indisunique then '^uq_' else '^ix_' end || t.relname || '_[a-z_]+$')"
    )
              .empty());
    CHECK(database.value("select count(*) > 8 from " + tables) == "t");
    CHECK(lines(database, "select t.relname from " + tables + " and t.relname !~ 's$'").empty());  // plurals
}

TEST_CASE("tables say when a row was made, and when it last changed", "[db][migrations]") {
    const tests::TestDatabase database;
    const auto without = [&](const std::string& column) {
        return lines(
            database,
            "select t.relname from " + tables +
                " and not exists (select from pg_attribute where attrelid = t.oid and "
                "attname = '" +
                column + "') order by 1"
        );
    };
    // A ledger of its own kind has applied_at; counts on their way into a batch are gone within a second.
    CHECK(without("created_at") == "batch_changes\nmigrations\n");
    // Rows that never change after the call that made them, and the hot ones.
    CHECK(without("updated_at") == "batch_changes\nbundles\ndead_jobs\nenqueue_keys\nfinished_bundles\nmigrations\n");
}

TEST_CASE("a migration that fails leaves nothing of itself", "[db][migrations]") {
    if (tests::skipped_without_direct("migrations go past a pooler")) return;
    const tests::TestDatabase database(tests::TestDatabase::Content::empty);
    boost::asio::io_context context;
    db::Session session = database.direct_session(context);
    const auto up = [&] { return tests::run(context, [&] { return db::migrate_up(session, {}); }); };
    tests::run(context, [&] { return db::migrate_up(session, 1); });
    database.psql("alter table task_queue.migrations add constraint ck_obstacle check (version < 2)");
    std::string state;
    try {
        up();
    } catch (const db::Error& error) {
        state = error.sqlstate();
    }
    CHECK(state == "23514");  // when all is done but to write it down
    CHECK(database.value("select to_regclass('task_queue.limits') is null") == "t");
    CHECK(database.value("select max(version) from task_queue.migrations") == "1");
    database.psql("alter table task_queue.migrations drop constraint ck_obstacle");
    CHECK(up() == static_cast<int>(db::embedded_migrations().size()) - 1);
}

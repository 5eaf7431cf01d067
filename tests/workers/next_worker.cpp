// The worker of tests/workers/ledger_worker.cpp one version ahead: it brings one migration more, which changes what is
// under load. The definition below takes the place of the one in db/embedded_migrations.cpp, which the linker then
// leaves out.

#include "db/migrations.hpp"

#include <vector>

namespace db {

namespace {

// What a release may do at once: columns for the tables that everybody writes to, an index, a view with a column more,
// and a new body for every function, which throws away all plans that know the old ones.
constexpr std::string_view up = R"sql(-- works with programs from 0005
alter table task_queue.bundles add column label text;
alter table task_queue.finished_bundles add column label text;
alter table task_queue.dead_jobs add column label text;
alter table task_queue.batches add column label text;
alter table task_queue.workers add column labels text[] not null default '{}';
create index ix_bundles_label on task_queue.bundles (label) where label is not null;
do $do$
declare
    one record;
begin
    for one in
        select p.oid
        from pg_proc p
        join pg_language l on l.oid = p.prolang
        where p.pronamespace = 'task_queue'::regnamespace and l.lanname in ('sql', 'plpgsql')
    loop
        execute pg_get_functiondef(one.oid);
    end loop;
    execute 'create or replace view task_queue.jobs as select old.*, ''next''::text as label from ('
        || rtrim(pg_get_viewdef('task_queue.jobs'::regclass), ';') || ') old';
end
$do$;
)sql";

constexpr std::string_view down = "select 1 / 0";

}  // namespace

std::span<const Migration> embedded_migrations() {
    static const std::vector<Migration> migrations = [] {
        const std::span<const Migration> before = written_migrations();
        std::vector<Migration> all(before.begin(), before.end());
        all.push_back({all.back().version + 1, "0006_label_jobs", up, down});
        return all;
    }();
    return migrations;
}

}  // namespace db

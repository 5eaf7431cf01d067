// How enqueue_many packs args into rows.

#include "db/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"

using tests::TestDatabase;
using tests::TextRows;

TEST_CASE("enqueue_many keeps every job in its place, whatever the array", "[queue][enqueue][bundle][db]") {
    const TestDatabase database;
    // Small args, args that share no rows, and a large one among small ones; each array with every size of rows and
    // with bounds that do not begin at 1.
    database.psql(R"sql(
        create table calls as
        select n, low, heavy, size, (
            select ('[' || low || ':' || low + n - 1 || ']=' || array_agg(
                json_build_object('job', i, 'text', repeat('x', case
                    when heavy = 'all' then (i * 7919) % 32000
                    when heavy = 'one' and i = n / 2 then 32000
                    else (i * 31) % 300
                end))
            )::text)::json[]
            from generate_series(1, n) i
        ) as args, null::bigint[] as ids
        from unnest(array[1, 2, 15, 16, 63, 64, 127, 1009]) n, unnest(array[1, -3, 0, 17]) low,
            unnest(array['none', 'one', 'all']) heavy, unnest(array[1, 7, 63]) size
        where n < 200 or (heavy <> 'all' and low < 1);
        update calls set ids = array(select * from task_queue.enqueue_many('k', args, bundle => size))
    )sql");
    const std::string wrong = database.value(R"sql(
        with jobs as (
            select (b.id & ~127::bigint) + n as id, b.args -> n as args
            from task_queue.bundles b, generate_series(0, task_queue.count_jobs(b.members) - 1) n
        )
        select string_agg(format('%s jobs from %s, %s to a row, heavy: %s', n, low, size, heavy), '; ')
        from calls
        where (select array_agg(a::text) from unnest(args) a) is distinct from (
            select array_agg(j.args::text order by place)
            from unnest(ids) with ordinality called (id, place)
            join jobs j using (id)
        )
    )sql");
    CHECK(wrong == "");
    // No row is larger than it may be, and none smaller than it need be.
    CHECK(database.psql(R"sql(
            select count(*) filter (where b.jobs > c.size), count(*) filter (where b.jobs > 1 and b.bytes > 65800)
            from calls c
            cross join lateral (
                select task_queue.count_jobs(members) as jobs, octet_length(args::text) as bytes
                from task_queue.bundles where id = any (c.ids)
            ) b
        )sql") == TextRows{{"0", "0"}});
    CHECK(
        database.value("select count(*) from calls where heavy = 'none' and (n + size - 1) / size <> "
                       "(select count(*) from task_queue.bundles where id = any (ids))") == "0"
    );
    CHECK(database.value("select count(*) from task_queue.enqueue_many('k', '{}')") == "0");
}

TEST_CASE("enqueue_many refuses args above the limit wherever they stand", "[queue][enqueue][db]") {
    const TestDatabase database;
    const auto enqueue = [&](int at, int bytes) {
        // '"x…x"': two of the bytes are quotes.
        return database.psql(
            "select count(*) from task_queue.enqueue_many('k', array(select to_json(repeat('x', case when i = " +
            std::to_string(at) + " then " + std::to_string(bytes - 2) +
            " else 40 end)) from generate_series(1, 200) i))"
        );
    };
    for (const int limit : {8'192, 1'048'576}) {
        database.psql("update task_queue.limits set value = " + std::to_string(limit) + " where name = 'args'");
        for (const int at : {1, 100, 200}) {
            INFO(limit << " bytes, job " << at);
            CHECK(enqueue(at, limit) == TextRows{{"200"}});
            CHECK_THROWS_WITH(
                enqueue(at, limit + 1),
                Catch::Contains(
                    "args has " + std::to_string(limit + 1) + " bytes, more than the " + std::to_string(limit)
                )
            );
        }
    }
}

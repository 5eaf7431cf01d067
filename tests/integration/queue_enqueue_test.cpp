// Enqueuing through SQL and through C++: what is stored, what is refused, and what happens when two calls meet.

#include "db/connection.hpp"
#include "db/error.hpp"
#include "db/transaction.hpp"
#include "queue/bundle.hpp"
#include "queue/enqueue.hpp"
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"

#include <random>

using namespace std::chrono_literals;
using namespace queue;
namespace asio = boost::asio;
using tests::TestDatabase;

namespace {

// The refusal of one statement, as SQLSTATE and message.
db::Error refusal(const TestDatabase& database, const std::string& sql) {
    asio::io_context context;
    db::Session session = database.session(context);
    try {
        tests::run(context, [&] { return session.run_script(sql, 10s); });
    } catch (const db::Error& error) {
        return error;
    }
    FAIL("not refused: " << sql);
    throw;
}

}  // namespace

TEST_CASE(
    "enqueue takes its args as untyped, text, json and jsonb, and optional arguments by name", "[queue][enqueue][db]"
) {
    const TestDatabase database;
    for (const std::string call :
         {"task_queue.enqueue('mail', '{\"to\": 1}')",
          "task_queue.enqueue('mail', '{\"to\": 1}'::text)",
          "task_queue.enqueue('mail', '{\"to\": 1}'::json)",
          "task_queue.enqueue('mail', '{\"to\": 1}'::jsonb)",
          "task_queue.enqueue('mail', args => '{\"to\": 1}', queue => null, priority => null)",
          "task_queue.enqueue(kind => 'mail', args => '{\"to\": 1}', run_at => now() - interval '1 day')",
          "task_queue.enqueue('mail', '{\"to\": 1}', delay => '0 s')"}) {
        INFO(call);
        const std::string id = database.value("select " + call);
        CHECK(
            database.psql(
                "select kind, queue, state, priority, attempt, max_attempts, args::jsonb from task_queue.job(" + id +
                ")"
            ) == tests::TextRows{{"mail", "default", "available", "4", "0", "20", R"({"to": 1})"}}
        );
    }
    const std::string bare = database.value("select task_queue.enqueue('no-args')");
    CHECK(database.value("select args from task_queue.job(" + bare + ")") == "{}");
    const std::string later = database.value("select task_queue.enqueue('later', '{}', delay => '1 h')");
    CHECK(database.value("select state from task_queue.job(" + later + ")") == "scheduled");
}

TEST_CASE("enqueue names the argument that it refuses", "[queue][enqueue][db]") {
    const TestDatabase database;
    database.psql(
        "select task_queue.create_batch('00000000-0000-0000-0000-000000000001');"
        "select task_queue.seal_batch('00000000-0000-0000-0000-000000000001')"
    );
    struct Case {
        const char* arguments;
        const char* sqlstate;
        const char* says;
    };
    for (const Case& c : std::vector<Case>{
             {"'', '{}'", "22023", "kind"},
             {"null, '{}'", "22023", "kind"},
             {"repeat('k', 201), '{}'", "22023", "kind"},
             {"'k', null::json", "22004", "args"},
             {"'k', '{nonsense'", "22P02", "json"},
             {"'k', to_json(repeat('x', 1048576))", "54000", "args has 1048578 bytes, more than the 1048576"},
             {"'k', '{}', queue => 'unheard'", "22023", "queue \"unheard\" does not exist"},
             {"'k', '{}', priority => 10", "22023", "priority"},
             {"'k', '{}', priority => -1", "22023", "priority"},
             {"'k', '{}', delay => '-1 s'", "22023", "delay"},
             {"'k', '{}', run_at => 'infinity'", "22023", "run_at"},
             {"'k', '{}', run_at => now(), delay => '1 s'", "22023", "run_at and delay"},
             {"'k', '{}', max_attempts => 0", "22023", "max_attempts"},
             {"'k', '{}', batch_id => '00000000-0000-0000-0000-000000000009'", "22023", "batch_id"},
             {"'k', '{}', batch_id => '00000000-0000-0000-0000-000000000001'", "55000", "is sealed"},
         }) {
        INFO(c.arguments);
        const db::Error error = refusal(database, std::string("select task_queue.enqueue(") + c.arguments + ")");
        CHECK(error.sqlstate() == c.sqlstate);
        CHECK_THAT(error.server().message, Catch::Contains(c.says));
    }
    for (const Case& c : std::vector<Case>{
             {"'k', null", "22004", "args"},
             {"'k', array['1', null]::json[]", "22004", "args[2] is null"},
             {"'k', array[array['1']]::json[]", "22023", "one dimension"},
             {"'k', '{1}', bundle => 0", "22023", "bundle"},
             {"'k', '{1}', bundle => 64", "22023", "bundle"},
             {"'k', array[to_json(repeat('x', 1048576))]", "54000", "args has"},
             {"'k', '{1}', queue => 'unheard'", "22023", "queue"},
         }) {
        INFO(c.arguments);
        const db::Error error = refusal(database, std::string("select task_queue.enqueue_many(") + c.arguments + ")");
        CHECK(error.sqlstate() == c.sqlstate);
        CHECK_THAT(error.server().message, Catch::Contains(c.says));
    }
    CHECK(database.value("select count(*) from task_queue.bundles") == "0");
    CHECK(database.value("select count(*) from task_queue.batch_changes where total <> 0") == "0");
}

TEST_CASE(
    "enqueue_many cuts a call into bundles by its size, the kind or the caller, under 64 kB", "[queue][enqueue][db]"
) {
    const TestDatabase database;
    const auto bundles = [&](const std::string& arguments) {
        database.psql("delete from task_queue.bundles; select task_queue.enqueue_many('k', " + arguments + ")");
        return database.psql(
            "select task_queue.count_jobs(members), count(*) from task_queue.bundles group by 1 order by 1 desc"
        );
    };
    CHECK(bundles("array_fill('1'::json, array[15])") == tests::TextRows{{"1", "15"}});
    CHECK(bundles("array_fill('1'::json, array[512])") == tests::TextRows{{"32", "16"}});
    CHECK(bundles("array_fill('1'::json, array[1010])") == tests::TextRows{{"63", "16"}, {"2", "1"}});
    CHECK(bundles("array_fill('1'::json, array[5]), bundle => 3") == tests::TextRows{{"3", "1"}, {"2", "1"}});
    CHECK(bundles("'{}'").empty());
    database.psql("update task_queue.kinds set bundle = 2 where name = 'k'");
    CHECK(bundles("array_fill('1'::json, array[64])") == tests::TextRows{{"2", "32"}});
    CHECK(bundles("array_fill('1'::json, array[64]), bundle => 63") == tests::TextRows{{"2", "32"}});
    CHECK(bundles("array_fill('1'::json, array[3]), bundle => 1") == tests::TextRows{{"1", "3"}});
    database.psql("update task_queue.kinds set bundle = null where name = 'k'");
    CHECK(bundles("array_fill('1'::json, array[64]), bundle => 63") == tests::TextRows{{"63", "1"}, {"1", "1"}});
    bundles(
        "(select array_agg(to_json(repeat('x', 1 + (n * 7919) % 32000))) from generate_series(1, 500) n), bundle => 63"
    );
    CHECK(database.value("select max(octet_length(args::text)) < 65536 from task_queue.bundles") == "t");
    CHECK(database.value("select count(*) from task_queue.bundles") < "450");
}

TEST_CASE("enqueue_jobs answers the ids in the order of the args", "[queue][enqueue][db]") {
    const TestDatabase database;
    asio::io_context context;
    db::Session session = database.session(context);
    std::vector<std::string> args;
    for (int n = 0; n < 700; ++n) args.push_back(std::to_string(n));
    const std::vector<JobId> jobs = tests::run(context, [&] { return enqueue_jobs(session, "count", args); });
    REQUIRE(jobs.size() == args.size());
    for (std::size_t n = 0; n < jobs.size(); n += 37) {
        const auto id = std::to_string(static_cast<std::int64_t>(jobs[n]));
        CHECK(database.value("select args from task_queue.job(" + id + ")") == args[n]);
    }
    CHECK(tests::run(context, [&] { return enqueue_jobs(session, "count", {}); }).empty());
}

TEST_CASE("enqueue_job hands over every option", "[queue][enqueue][db]") {
    const TestDatabase database;
    database.psql("insert into task_queue.queues (name) values ('slow')");
    asio::io_context context;
    db::Session session = database.session(context);
    const db::TimePoint at{std::chrono::microseconds(4'102'444'800'123'457)};
    const NewJob job{
        .kind = "k",
        .args = "[1]",
        .unique_key = "u",
        .options = {.queue = "slow", .priority = 9, .run_at = at, .max_attempts = 3, .meta = R"({"trace": "t"})"},
    };
    const Enqueued enqueued = tests::run(context, [&] { return enqueue_job(session, job); });
    CHECK_FALSE(enqueued.existed);
    CHECK(
        database.psql(
            "select q.name, priority, run_at = 'epoch'::timestamptz + interval '4102444800123457 us', state, "
            "max_attempts, unique_key, meta, args from task_queue.bundles b join task_queue.queues q on q.id = queue_id"
        ) == tests::TextRows{{"slow", "9", "t", "0", "3", "u", R"({"trace": "t"})", "[[1]]"}}
    );
    const Enqueued again = tests::run(context, [&] { return enqueue_job(session, job); });
    CHECK(again.existed);
    CHECK(again.job == enqueued.job);
}

TEST_CASE("enqueue with a unique key waits for the other call and answers its job", "[queue][enqueue][race][db]") {
    const TestDatabase database;
    const auto enqueue = [](db::Session& session) {
        return enqueue_job(session, NewJob{.kind = "k", .args = "{}", .unique_key = "u", .options = {}});
    };
    tests::OpenTransaction first(database);
    first.execute("select task_queue.enqueue('k', '{}', unique_key => 'u')");
    auto second = tests::in_background(database, enqueue);
    tests::await_blocked(database);

    SECTION("when the other commits") {
        first.commit();
        const Enqueued enqueued = second.get();
        CHECK(enqueued.existed);
        CHECK(
            database.value("select id from task_queue.bundles") ==
            std::to_string(static_cast<std::int64_t>(enqueued.job))
        );
    }
    SECTION("when the other rolls back, by its own") {
        first.rollback();
        const Enqueued enqueued = second.get();
        CHECK_FALSE(enqueued.existed);
        CHECK(database.value("select count(*) from task_queue.bundles") == "1");
    }
}

TEST_CASE("enqueue with a unique key makes a new job when the other one ends meanwhile", "[queue][enqueue][race][db]") {
    const TestDatabase database;
    const std::string old = database.value("select task_queue.enqueue('k', '{}', unique_key => 'u')");
    tests::OpenTransaction finish(database);
    finish.execute("delete from task_queue.bundles");
    auto second = tests::in_background(database, [](db::Session& session) {
        return enqueue_job(session, NewJob{.kind = "k", .args = "{}", .unique_key = "u", .options = {}});
    });
    tests::await_blocked(database);
    finish.commit();
    const Enqueued enqueued = second.get();
    CHECK_FALSE(enqueued.existed);
    CHECK(std::to_string(static_cast<std::int64_t>(enqueued.job)) != old);
}

TEST_CASE("a unique key answers the job's id when its row has the id of a single", "[queue][enqueue][db]") {
    const TestDatabase database;
    database.psql("select task_queue.enqueue('k', '{}', unique_key => 'u'); update task_queue.bundles set id = id + 64"
    );
    CHECK(
        database.value(
            "select task_queue.enqueue('k', '{}', unique_key => 'u') = id & ~64::bigint from task_queue.bundles"
        ) == "t"
    );
}

TEST_CASE("a repeated call with an enqueue key answers the same jobs, ended or not", "[queue][enqueue][db]") {
    const TestDatabase database;
    const std::string one = database.value("select task_queue.enqueue('k', '{}', enqueue_key => 'one')");
    const auto many = database.psql(
        "select task_queue.enqueue_many('k', array_fill('1'::json, array[9]), enqueue_key => 'many', bundle => 4)"
    );
    REQUIRE(many.size() == 9);
    database.psql("delete from task_queue.bundles");
    CHECK(database.value("select task_queue.enqueue('k', '{}', enqueue_key => 'one')") == one);
    CHECK(
        database.psql(
            "select task_queue.enqueue_many('k', array_fill('1'::json, array[9]), enqueue_key => 'many', bundle => 4)"
        ) == many
    );
    CHECK(database.value("select count(*) from task_queue.bundles") == "0");
    // A call that its unique key answered repeats that answer.
    const std::string live = database.value("select task_queue.enqueue('k', '{}', unique_key => 'u')");
    CHECK(database.value("select task_queue.enqueue('k', '{}', unique_key => 'u', enqueue_key => 'two')") == live);
    CHECK(database.value("select task_queue.enqueue('k', '{}', unique_key => 'v', enqueue_key => 'two')") == live);
}

TEST_CASE("two calls with one enqueue key at the same time make one job", "[queue][enqueue][race][db]") {
    const TestDatabase database;
    tests::OpenTransaction first(database);
    first.execute("select task_queue.enqueue('k', '{}', enqueue_key => 'e')");
    auto second = tests::in_background(database, [](db::Session& session) {
        return enqueue_job(
            session, NewJob{.kind = "k", .args = "{}", .unique_key = {}, .options = {.enqueue_key = "e"}}
        );
    });
    tests::await_blocked(database);
    first.commit();
    const Enqueued enqueued = second.get();
    CHECK(enqueued.existed);
    CHECK(
        database.value("select id from task_queue.bundles") == std::to_string(static_cast<std::int64_t>(enqueued.job))
    );
}

TEST_CASE("a keyed repeat is answered even when its batch has been sealed meanwhile", "[queue][enqueue][batch][db]") {
    const TestDatabase database;
    const std::string call =
        "select task_queue.enqueue('k', '{}', enqueue_key => 'e', batch_id => '00000000-0000-0000-0000-000000000001')";
    database.psql("select task_queue.create_batch('00000000-0000-0000-0000-000000000001')");
    const std::string job = database.value(call);
    database.psql("select task_queue.seal_batch('00000000-0000-0000-0000-000000000001')");
    CHECK(database.value(call) == job);
    CHECK(database.value("select sum(total) from task_queue.batch_changes") == "1");
}

TEST_CASE(
    "enqueue notifies once a statement, and only when a live worker is hungry for the queue", "[queue][enqueue][db]"
) {
    if (tests::skipped_without_direct("LISTEN takes a connection that is nobody else's")) return;
    const TestDatabase database;
    database.psql(
        "insert into task_queue.queues (name) values ('other'), ('mark');"
        "insert into task_queue.workers (hungry, dead_at, connections, slots, pid, host, version, kinds, queues) "
        "values "
        "(true, null, 1, 1, 1, '', '', '{}', '{default}'), (false, null, 1, 1, 1, '', '', '{}', '{other}'), "
        "(true, now(), 1, 1, 1, '', '', '{}', '{other}'), (true, null, 1, 1, 1, '', '', '{}', '{mark}')"
    );
    asio::io_context context;
    db::Session session = database.direct_session(context);
    tests::run(context, [&] { return session.run_script("listen task_queue_wake", 10s); });
    const auto heard = [&](const std::string& sql) {
        // The mark comes after whatever the statement sent.
        database.psql(sql);
        database.psql("select task_queue.enqueue('k', '{}', queue => 'mark')");
        std::vector<std::string> payloads;
        do {
            const db::Notification note =
                tests::run(context, [&] { return session.connection().wait_notification(); }).value();
            payloads.push_back(note.payload);
        } while (payloads.back() != "mark");
        payloads.pop_back();
        return payloads;
    };
    CHECK(heard("select task_queue.enqueue('k', '{}')") == std::vector<std::string>{"default"});
    CHECK(
        heard("select task_queue.enqueue_many('k', array_fill('1'::json, array[40]))") ==
        std::vector<std::string>{"default"}
    );
    CHECK(heard("select task_queue.enqueue('k', '{}', delay => '1 h')").empty());
    CHECK(heard("select task_queue.enqueue('k', '{}', queue => 'other')").empty());
}

TEST_CASE("SQL and C++ agree on every id and place in a bundle", "[queue][bundle][db]") {
    const TestDatabase database;
    std::mt19937_64 random(63);
    std::string values;
    std::string expected;
    for (int round = 0; round < 400; ++round) {
        const Mask wide = static_cast<Mask>(random()) & first_bits(max_bundle_jobs);
        const int lowest = static_cast<int>(random() % 63);
        const bool single = random() % 4 == 0;
        const Mask members = single ? bit(lowest) : (wide & ~first_bits(lowest + 1)) | bit(lowest);
        const std::int64_t base = 128 * static_cast<std::int64_t>(1 + random() % (1ULL << 45));
        const RowId row{base + lowest + (single ? 64 : 0)};
        values += (round == 0 ? "(" : ",(") + std::to_string(static_cast<std::int64_t>(row)) + "::bigint," +
                  std::to_string(members) + "::bigint)";
        for (int n = 0; n < max_bundle_jobs; ++n) {
            if ((members & bit(n)) == 0) continue;
            expected += std::to_string(static_cast<std::int64_t>(job_id(row, n))) + ":" +
                        std::to_string(element_of(row, n)) + ":" + std::to_string(count(members)) + ":" +
                        std::to_string(lowest) + " ";
        }
    }
    const std::string found = database.value(
        "select string_agg(((row_id & ~127::bigint) + n) || ':' || task_queue.element_of(row_id, n) || ':' || "
        "task_queue.count_jobs(members) || ':' || task_queue.first_job(members), ' ' order by o, n) || ' ' "
        "from (select *, row_number() over () as o from (values " +
        values +
        ") v(row_id, members)) v, "
        "generate_series(0, 62) n where members >> n & 1 = 1 "
        "and row_id = any (task_queue.row_ids((row_id & ~127::bigint) + n))"
    );
    CHECK(found == expected);
}

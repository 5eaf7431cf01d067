// Enqueuing streams by COPY.

#include "db/error.hpp"
#include "db/transaction.hpp"
#include "queue/bulk_enqueue.hpp"
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"

using namespace queue;
namespace asio = boost::asio;
using tests::TestDatabase;

namespace {

// Gives these args, one after the other.
NextArgs from(std::vector<std::string> all) {
    return [all = std::move(all), at = std::size_t{0}](std::string& args) mutable {
        if (at == all.size()) return false;
        args = all[at++];
        return true;
    };
}

// Gives `count` objects {"n": i}.
NextArgs counting(int count) {
    return [count, i = 0](std::string& args) mutable {
        if (i == count) return false;
        args = "{\"n\": " + std::to_string(i++) + "}";
        return true;
    };
}

BulkEnqueued enqueue(const TestDatabase& database, EnqueueOptions options, NextArgs next) {
    asio::io_context context;
    db::Session session = database.session(context);
    return tests::run(context, [&]() -> asio::awaitable<BulkEnqueued> {
        const auto body = [&](db::Session& on) { return bulk_enqueue(on, "bulk", options, next); };
        co_return co_await db::transact(session, body);
    });
}

}  // namespace

TEST_CASE("bulk_enqueue hands every text through COPY unchanged", "[queue][bulk][db]") {
    const TestDatabase database;
    const std::vector<std::string> all{
        R"("back\\slash \n \t \" é")", "{\"a\":\t1,\r\n \"b\": [1, 2]}", "null", "\"\\\\.\"", R"("\\N")", "[]", "1e300"
    };
    const BulkEnqueued enqueued = enqueue(database, {.bundle = 3}, from(all));
    CHECK(enqueued.jobs == 7);
    CHECK(enqueued.first == JobId{128});
    const auto rows = database.psql("select (task_queue.job(id)).args from task_queue.jobs order by id");
    REQUIRE(rows.size() == all.size());
    for (std::size_t n = 0; n < all.size(); ++n) CHECK(rows[n][0] == all[n]);
}

TEST_CASE("bulk_enqueue stores the options with each row and counts into the batch", "[queue][bulk][batch][db]") {
    const TestDatabase database;
    const std::string batch = "00000000-0000-0000-0000-000000000001";
    database.psql("select task_queue.create_batch('" + batch + "')");
    const EnqueueOptions options{
        .priority = 7, .delay = std::chrono::hours(1), .max_attempts = 3, .batch = batch, .meta = R"({"a": "\\"})"
    };
    enqueue(database, options, counting(100));
    CHECK(
        database.psql("select distinct priority, max_attempts, batch_id, meta::text, state, run_at - created_at, "
                      "task_queue.count_jobs(members) "
                      "from task_queue.bundles where id < 128 * 15"
        ) == tests::TextRows{{"7", "3", batch, R"({"a": "\\"})", "0", "01:00:00", "6"}}
    );
    CHECK(database.value("select total from task_queue.batch_status('" + batch + "')") == "100");
}

TEST_CASE("bulk_enqueue sizes bundles by the stream, which it does not read to the end", "[queue][bulk][db]") {
    struct Case {
        int jobs;
        const char* largest;
    };
    for (const Case& c : {Case{15, "1"}, Case{160, "10"}, Case{1007, "62"}, Case{1008, "63"}, Case{5000, "63"}}) {
        const TestDatabase database;
        CHECK(enqueue(database, {}, counting(c.jobs)).jobs == c.jobs);
        CHECK(database.value("select max(task_queue.count_jobs(members)) from task_queue.bundles") == c.largest);
        CHECK(database.value("select count(*) from task_queue.jobs") == std::to_string(c.jobs));
    }
}

TEST_CASE("bulk_enqueue of many chunks keeps every job, in order", "[queue][bulk][db]") {
    const TestDatabase database;
    // Rows of one: more than a chunk's 4,096 rows. Large args: more than a chunk's 4 MiB.
    CHECK(enqueue(database, {.bundle = 1}, counting(10'000)).jobs == 10'000);
    CHECK(
        database.value("select count(*) from (select (args->0->>'n')::int as n, lag((args->0->>'n')::int, 1, -1) over "
                       "(order by id) "
                       "as before from task_queue.bundles) x where n = before + 1") == "10000"
    );
    const std::string large = "\"" + std::string(100'000, 'x') + "\"";
    CHECK(enqueue(database, {.priority = 5}, from(std::vector<std::string>(60, large))).jobs == 60);
    CHECK(database.value("select count(*) from task_queue.bundles where priority = 5") == "60");
}

TEST_CASE("bulk_enqueue refuses bad args by their place and leaves nothing", "[queue][bulk][db]") {
    const TestDatabase database;
    struct Case {
        std::string bad;
        const char* says;
    };
    for (const Case& c :
         {Case{"{", "args of job 3: not JSON"},
          Case{"1,2", "args of job 3: more than one JSON value"},
          Case{"\"" + std::string(1'048'576, 'x') + "\"", "args of job 3: 1048578 bytes, more than the 1048576"}}) {
        INFO(c.says);
        CHECK_THROWS_WITH(enqueue(database, {.bundle = 1}, from({"1", "2", c.bad})), Catch::Contains(c.says));
        CHECK_THROWS_WITH(enqueue(database, {}, from({"1", "2", c.bad})), Catch::Contains(c.says));
    }
    CHECK_THROWS_WITH(enqueue(database, {.queue = "unheard"}, counting(1)), Catch::Contains("unheard"));
    CHECK_THROWS_WITH(enqueue(database, {.bundle = 64}, counting(1)), Catch::Contains("bundle"));
    CHECK_THROWS_WITH(
        enqueue(database, {}, [](std::string&) -> bool { throw std::runtime_error("disk gone"); }),
        Catch::Contains("disk gone")
    );
    CHECK(database.value("select count(*) from task_queue.bundles") == "0");
}

TEST_CASE("a repeated bulk_enqueue with its key answers the first call", "[queue][bulk][db]") {
    const TestDatabase database;
    const BulkEnqueued first = enqueue(database, {.enqueue_key = "file"}, counting(1500));
    const BulkEnqueued again = enqueue(database, {.enqueue_key = "file"}, counting(1500));
    CHECK(again.existed);
    CHECK(again.jobs == 1500);
    CHECK(again.first == first.first);
    CHECK(database.value("select count(*) from task_queue.jobs") == "1500");
}

TEST_CASE("bulk_enqueue of an empty stream adds no jobs", "[queue][bulk][db]") {
    const TestDatabase database;
    const BulkEnqueued enqueued = enqueue(database, {}, counting(0));
    CHECK(enqueued.jobs == 0);
    CHECK_FALSE(enqueued.first);
}

TEST_CASE("a kind with rows of its own gets them whatever the producer asks for", "[queue][bulk][enqueue][db]") {
    const TestDatabase database;
    database.psql("insert into task_queue.kinds (name, bundle) values ('alone', 1), ('bulk', 1)");
    database.psql(
        "select task_queue.enqueue_many('alone', array_fill('{}'::json, array[100])); "
        "select task_queue.enqueue_many('alone', array_fill('{}'::json, array[100]), bundle => 50)"
    );
    CHECK(enqueue(database, {.bundle = 50}, counting(100)).jobs == 100);
    CHECK(enqueue(database, {}, counting(100)).jobs == 100);
    CHECK(database.value("select max(task_queue.count_jobs(members)) from task_queue.bundles") == "1");
}

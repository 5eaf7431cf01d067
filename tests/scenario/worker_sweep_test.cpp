// What is committed late, behind the place where a busy worker claims.
#include "db/transaction.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

using namespace tests;
using namespace std::chrono_literals;

namespace {

// Jobs in rows of their own that take longer than it takes to claim them: the line never runs dry.
class Load {
public:
    explicit Load(const TestDatabase& database) : database_(database) { enqueue(); }

    // Keeps it up until the query answers true.
    void await(const std::string& query) const {
        const auto limit = std::chrono::steady_clock::now() + 60s;
        while (database_.value(query) != "t") {
            if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("never came true: " + query);
            if (database_.value("select count(*) < 5000 from task_queue.bundles where state = 1") == "t") enqueue();
        }
    }

private:
    void enqueue() const {
        database_.psql(
            "select count(*) from task_queue.enqueue_many('echo', "
            "array_fill('{\"sleep_ms\": 5}'::json, array[10000]), bundle => 1)"
        );
    }
    const TestDatabase& database_;
};

}  // namespace

TEST_CASE("a busy worker finds what was committed behind the place where it claims", "[scenario][sweep]") {
    const TestDatabase database;
    const WorkerProcess worker(database.url(), {{"TASK_WORKER_WORKER_CONCURRENCY", "4"}});
    boost::asio::io_context context;
    db::Session producer = database.session(context);
    const db::Statement enqueue_sql{"", "select task_queue.enqueue('noop', '{}')"};
    db::begin(producer);
    const db::Rows rows = run(context, [&] { return producer.execute(enqueue_sql); });
    const std::string late = std::to_string(rows.front().get<std::int64_t>(0));
    const Load load(database);
    // Claims begin where they stood two seconds ago, and from the start only where a worker is hungry.
    load.await(
        "select not bool_or(hungry) and exists (select from task_queue.finished_bundles "
        "where id > " +
        late + " and claimed_at < clock_timestamp() - interval '3 s') from task_queue.workers"
    );
    run(context, [&] { return db::commit(producer); });
    load.await("select count(*) = 1 from task_queue.jobs where kind = 'noop' and state = 'completed'");
    CHECK(database.value("select count(*) > 1000 from task_queue.bundles where state = 1") == "t");
    CHECK(database.value("select bool_or(hungry) from task_queue.workers") == "f");
}

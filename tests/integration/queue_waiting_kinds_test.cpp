// The kinds that a batch waits for.

#include "queue/batches.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <string>

using namespace queue;

TEST_CASE("list_waiting_kinds names the kinds of a batch's jobs that no worker has", "[queue][batch][db]") {
    tests::QueueFixture test;
    const std::string batch = "00000000-0000-0000-0000-000000000001";
    test.database.psql("select task_queue.create_batch('" + batch + "')");
    const auto kinds = [&] {
        std::string text;
        for (const WaitingKind& one :
             tests::run(test.context, [&] { return list_waiting_kinds(test.session, batch); })) {
            text += one.kind + "@" + one.queue + (one.paused ? " paused" : "") + (one.due_at ? " due " : " ");
        }
        return text;
    };
    CHECK(kinds().empty());
    const std::string in_batch = "'" + batch + "'";
    test.add_rows({.rows = 2, .jobs = 3, .batch = in_batch, .kind = "claimed"});
    test.claim(test.add_worker(), 6);
    CHECK(kinds().empty());
    test.add_rows({.rows = 2, .batch = in_batch, .kind = "waits"});
    test.add_row({.state = 0, .batch = in_batch, .run_at = "now() + interval '1 hour'", .kind = "later"});
    test.add_row({.kind = "elsewhere"});
    CHECK(kinds() == "later@default due waits@default ");
    test.database.psql("update task_queue.queues set paused = true");
    CHECK(kinds() == "later@default paused due waits@default paused ");
}

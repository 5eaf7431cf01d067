// What a batch tells of its rounds: rates, and what its callbacks carry.

#include "queue/batches.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <string>

using namespace queue;

namespace {

const std::string batch_id = "00000000-0000-0000-0000-000000000001";

class RoundsFixture : public tests::QueueFixture {
public:
    explicit RoundsFixture(const std::string& more = "") {
        database.psql("select task_queue.create_batch('" + batch_id + "'" + more + ")");
    }
    // As flushes and redrives append it.
    void append(int total, int completed, int discarded) const {
        database.psql(
            "insert into task_queue.batch_changes (batch_id, total, completed, discarded) values ('" + batch_id +
            "', " + std::to_string(total) + ", " + std::to_string(completed) + ", " + std::to_string(discarded) + ")"
        );
    }
    void seal() const { database.psql("select task_queue.seal_batch('" + batch_id + "')"); }
    void fold() const { database.psql("select task_queue.fold_batch_changes(0, 1000)"); }
    BatchStatus status() {
        return *tests::run(context, [&] { return read_batch_status(session, batch_id); });
    }
};

}  // namespace

TEST_CASE("the rates after a redrive are those of the new round", "[queue][batch][dead][db]") {
    RoundsFixture test;
    test.append(100, 90, 10);
    test.seal();
    test.fold();
    REQUIRE(test.status().state == "finished");
    test.database.psql(  // long ago
        "update task_queue.batches set created_at = now() - interval '100 d', folded_at = now() - interval '99 d', "
        "finished_at = now() - interval '99 d', recent_rate = 50"
    );
    const double first = test.status().overall_rate;
    CHECK(first < 0.01);

    test.append(0, 0, -10);  // the redrive, before and after the fold sees it
    CHECK(test.status().overall_rate == 0);
    CHECK(test.status().recent_rate == 0);
    CHECK_FALSE(test.status().eta);
    test.fold();
    CHECK(test.status().round == 2);
    CHECK(test.status().overall_rate == 0);
    CHECK(test.status().recent_rate == 0);

    test.append(0, 4, 0);
    CHECK(test.status().overall_rate > 0.01);  // 4 jobs in this round, not 94 in a hundred days
    CHECK(test.status().overall_rate <= 4);
    test.fold();
    CHECK(test.status().recent_rate > 0.01);
    REQUIRE(test.status().eta);
    CHECK(*test.status().eta < std::chrono::hours(1));
    test.append(0, 6, 0);
    test.fold();
    CHECK(test.status().state == "finished");
    CHECK(test.status().overall_rate > 0.01);
    CHECK(test.status().overall_rate <= 10);
}

TEST_CASE("a redrive that is folded with its jobs' ends counts them in the new round", "[queue][batch][dead][db]") {
    RoundsFixture test;
    test.append(10, 0, 10);
    test.seal();
    test.fold();
    test.append(0, 0, -10);
    test.append(0, 7, 3);
    test.fold();
    CHECK(test.status().round == 2);
    CHECK(test.status().state == "finished");
    CHECK(test.status().overall_rate > 0);
    CHECK(test.status().overall_rate <= 10);
}

TEST_CASE("the callbacks of a batch carry its meta", "[queue][batch][db]") {
    RoundsFixture test(R"(, meta => '{"traceparent": "00-1-2-01"}', on_finish => 'done', on_success => 'good')");
    test.seal();
    test.append(1, 1, 0);
    test.fold();
    CHECK(
        test.value("select string_agg(meta ->> 'traceparent', ' ') from task_queue.bundles") == "00-1-2-01 00-1-2-01"
    );
}

// What went wrong lately, and which batches an overview shows.
#include "queue/batches.hpp"
#include "queue/failures.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <string>

using namespace queue;
using tests::QueueFixture;

namespace {

std::string text_of(const std::vector<Failure>& failures) {
    std::string text;
    for (const Failure& failure : failures) {
        text += std::to_string(static_cast<std::int64_t>(failure.job)) + " " + failure.kind + " " + failure.queue +
                " " + std::to_string(failure.attempt) + "/" + std::to_string(failure.max_attempts) + " " +
                failure.error + (failure.next_run ? " again" : " dead") + "; ";
    }
    return text;
}

std::string names_of(const std::vector<BatchStatus>& batches) {
    std::string names;
    for (const BatchStatus& batch : batches) names += batch.name + " ";
    return names;
}

// A job that failed `age` ago and is due again after `due`.
std::string retryable(int base, const std::string& error, const std::string& age, const std::string& due) {
    const std::string id = std::to_string(base * 128 + 64);
    return "insert into task_queue.bundles (id, members, pending, kind_id, queue_id, state, attempt, max_attempts, "
           "run_at, errors, args) select " +
           id + ", 1, 1, k.id, 1, 3, 3, 20, now() + '" + due +
           "', json_build_array(json_build_object('attempt', 1, 'at', now() - interval '1 day', 'error', 'older'), "
           "json_build_object('attempt', 2, 'at', now() - interval '" +
           age + "', 'error', '" + error + "')), '[{}]' from task_queue.kinds k where k.name = 'test';";
}

std::string dead(int base, const std::string& error, const std::string& age) {
    return "insert into task_queue.dead_jobs (id, created_at, died_at, kind_id, queue_id, priority, attempt, "
           "max_attempts, error, args) select " +
           std::to_string(base * 128) + ", now(), now() - interval '" + age + "', k.id, 1, 4, 5, 5, " + error +
           ", '{}' from task_queue.kinds k where k.name = 'test';";
}

}  // namespace

TEST_CASE("failures are the latest of dead letters and of jobs that are tried again", "[queue][failures]") {
    QueueFixture test;
    CHECK(test.call(list_recent_failures(test.session, 10)).empty());
    test.add_rows({.rows = 300, .state = 3});  // snoozed: they have not failed
    test.add_rows({.rows = 300, .state = 0});
    test.database.psql(
        dead(1001, "'first'", "5 min") + dead(1002, "'third'", "3 min") + retryable(1003, "second", "4 min", "1 h") +
        retryable(1004, "fourth", "2 min", "-1 min") + dead(1005, "repeat('long ', 1000)", "1 min")
    );
    const std::vector<Failure> all = test.call(list_recent_failures(test.session, 10));
    REQUIRE(all.size() == 5);
    CHECK(all[0].error.size() == 300);
    CHECK(
        text_of({all.begin() + 1, all.end()}) ==
        "128512 test default 2/20 fourth again; "
        "128256 test default 5/5 third dead; "
        "128384 test default 2/20 second again; "
        "128128 test default 5/5 first dead; "
    );
    CHECK(all[1].next_run->count() == 0);  // due, and not promoted yet
    CHECK(all[3].next_run > std::chrono::minutes(50));
    CHECK(all[4].age >= std::chrono::minutes(5));
    CHECK(all[4].age < std::chrono::minutes(50));
    CHECK(text_of(test.call(list_recent_failures(test.session, 2))).find("third") == std::string::npos);
}

TEST_CASE("the latest failures are found past many that are older", "[queue][failures]") {
    QueueFixture test;
    test.add_row({});
    test.database.psql(
        "insert into task_queue.dead_jobs (id, created_at, died_at, kind_id, queue_id, priority, attempt, "
        "max_attempts, "
        "error, args) select n * 128, now(), now() - (3001 - n) * interval '1 s', k.id, 1, 4, 5, 5, 'n ' || n, '{}' "
        "from generate_series(1, 3000) n, task_queue.kinds k where k.name = 'test'"
    );
    const std::vector<Failure> latest = test.call(list_recent_failures(test.session, 50));
    REQUIRE(latest.size() == 50);
    CHECK(latest.front().error == "n 3000");
    CHECK(latest.back().error == "n 2951");
}

TEST_CASE("current batches are the newest unfinished and the last to finish", "[queue][failures][batch]") {
    QueueFixture test;
    // Made one minute apart; those from 4 on have finished, the later made the earlier.
    test.database.psql(
        "insert into task_queue.batches (id, name, state, created_at, sealed_at, finished_at, discarded, total) "
        "select ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'b' || n, "
        "case when n < 4 then 'open' else 'finished' end, now() - interval '1 h' + n * interval '1 min', "
        "case when n >= 4 then now() end, case when n >= 4 then now() - n * interval '1 min' end, n % 2, n % 2 "
        "from generate_series(1, 8) n"
    );
    CHECK(names_of(test.call(list_current_batches(test.session, 20, 5))) == "b3 b2 b1 b4 b5 b6 b7 b8 ");
    CHECK(names_of(test.call(list_current_batches(test.session, 2, 3))) == "b3 b2 b4 b5 b6 ");
    CHECK(names_of(test.call(list_current_batches(test.session, 2, 0))) == "b3 b2 ");
}

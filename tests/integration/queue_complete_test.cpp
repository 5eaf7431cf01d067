// Completing a job inside a transaction of its handler's: what it leaves is what finish_jobs leaves, or nothing.

#include "db/error.hpp"
#include "db/transaction.hpp"
#include "queue/cancel.hpp"
#include "queue/complete.hpp"
#include "queue/progress.hpp"
#include "queue/release.hpp"
#include "queue/rescue.hpp"
#include "tests/support/background.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <stdexcept>
#include <string>

using namespace queue;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

const std::string batch_a = "'00000000-0000-0000-0000-00000000000a'";
const db::Statement idle_sql{"", "select current_setting('idle_in_transaction_session_timeout')"};

class CompleteFixture : public tests::QueueFixture {
public:
    CompleteFixture() : handler(database.session(handler_context)) {}

    Completion of(const Bundle& bundle) const {
        return {.worker = worker, .row = bundle.id, .claim = ClaimNumber{claims}, .took = 2s};
    }
    // In a transaction on the handler's session, in which `before_commit` runs last.
    void complete(const Completion& completion, const std::function<void()>& before_commit = {}) {
        tests::run(handler_context, [&]() -> asio::awaitable<void> {
            const auto body = [&](db::Session& inside) -> asio::awaitable<void> {
                co_await complete_job(inside, completion);
                if (before_commit) before_commit();
            };
            co_await db::transact(handler, body);
        });
    }
    std::string sqlstate_of(const Completion& completion) {
        try {
            complete(completion);
        } catch (const db::Error& error) {
            CHECK(is_lease_lost(error) == (error.sqlstate() == "TW001"));
            CHECK(is_shared_row(error) == (error.sqlstate() == "TW002"));
            return error.sqlstate();
        }
        return "none";
    }
    // What a job leaves when it ends, but for times and the names of things.
    std::string ended() const {
        return value(R"sql(
            select coalesce(string_agg(format('%s:%s state %s claim %s worker %s attempt %s of %s result %s args %s batch %s',
                id, to_hex(members), state, claim_number, worker_id, attempt, max_attempts, result, args, batch_id), '; '
                order by id), '') || ' | ' || (select coalesce(sum(completed), 0) from task_queue.batch_changes)
            from task_queue.finished_bundles
        )sql");
    }

    asio::io_context handler_context;
    db::Session handler;
    WorkerId worker = add_worker();
};

}  // namespace

TEST_CASE("complete_job leaves what finish_jobs leaves", "[queue][complete][db]") {
    const bool with_result = GENERATE(false, true);
    const bool cut_off = GENERATE(false, true);
    const bool keep = GENERATE(true, false);
    INFO("result " << with_result << ", cut off a bundle " << cut_off << ", kept " << keep);
    std::array<std::string, 2> left;
    for (const bool in_transaction : {false, true}) {
        CompleteFixture test;
        test.add_row({.jobs = cut_off ? 3 : 1, .batch = batch_a});
        const Bundle bundle = test.claim(test.worker, 1).at(0);
        if (in_transaction) {
            Completion completion = test.of(bundle);
            completion.keep = keep;
            if (with_result) completion.result = R"({"n": 1})";
            test.complete(completion);
        } else {
            FinishedRow row{.row = bundle.id, .claim = ClaimNumber{test.claims}};
            if (with_result) {
                row.leavers = {{.n = 0, .as = Leave::complete_with_result, .payload = R"({"n": 1})"}};
            } else {
                row.done = bit(0);
            }
            test.call(finish_jobs(test.session, test.worker, std::array{row}, {.keep_completed = keep}));
        }
        left.at(in_transaction ? 1 : 0) = test.ended() + test.live_rows();
        if (keep) CHECK(test.holds(cut_off ? 3 : 1));
        CHECK(
            test.value(
                "select coalesce(bool_and(started_at between created_at - interval '3 s' and finished_at), true) "
                "from task_queue.finished_bundles"
            ) == "t"
        );
    }
    CHECK(left[0] == left[1]);
}

TEST_CASE("complete_job of a row whose other jobs completed before takes them along", "[queue][complete][db]") {
    const bool with_result = GENERATE(false, true);
    CompleteFixture test;
    test.add_row({.jobs = 3});
    const Bundle bundle = test.claim(test.worker, 3).at(0);
    const FinishedRow two{.row = bundle.id, .claim = ClaimNumber{test.claims}, .done = 0b101};
    test.call(finish_jobs(test.session, test.worker, std::array{two}));
    Completion completion = test.of(bundle);
    if (with_result) completion.result = "1";
    test.complete(completion);
    CHECK(test.live_rows().empty());
    CHECK(test.holds(3));
    CHECK(test.value("select count(*) from task_queue.jobs where state = 'completed'") == "3");
    CHECK(
        test.value(fmt::format(
            "select coalesce(result::text, '') from task_queue.job({})", static_cast<std::int64_t>(job_id(bundle.id, 1))
        )) == (with_result ? "1" : "")
    );
}

TEST_CASE("what is rolled back has not completed, and ends as any other job", "[queue][complete][db]") {
    CompleteFixture test;
    test.add_row({.batch = batch_a});
    const Bundle bundle = test.claim(test.worker, 1).at(0);
    const std::string before = test.live_rows();
    CHECK_THROWS_WITH(
        test.complete(test.of(bundle), [] { throw std::runtime_error("no money"); }), Catch::Contains("no money")
    );
    CHECK(test.live_rows() == before);
    CHECK(test.ended() == " | 0");
    const FinishedRow row{
        .row = bundle.id,
        .claim = ClaimNumber{test.claims},
        .leavers = {{.n = 0, .as = Leave::retry, .payload = "no money", .after = 1h}}
    };
    CHECK(test.call(finish_jobs(test.session, test.worker, std::array{row})).empty());
    CHECK(test.value("select state from task_queue.jobs") == "retryable");
    // The lease ended with that outcome.
    CHECK(test.sqlstate_of(test.of(bundle)) == "TW001");
}

TEST_CASE("an outcome that comes after the transaction changes nothing", "[queue][complete][db]") {
    CompleteFixture test;
    test.add_row({.batch = batch_a});
    const Bundle bundle = test.claim(test.worker, 1).at(0);
    test.complete(test.of(bundle));
    const std::string ended = test.ended();
    FinishedRow row{.row = bundle.id, .claim = ClaimNumber{test.claims}};
    SECTION("completed") {
        row.done = bit(0);
        CHECK(test.call(finish_whole_rows(test.session, test.worker, std::array{row})).size() == 1);
    }
    SECTION("to be retried") {
        row.leavers = {{.n = 0, .as = Leave::retry, .payload = "the connection was lost"}};
    }
    SECTION("handed back") {
        const Unstarted back{.row = bundle.id, .claim = row.claim, .jobs = bit(0)};
        CHECK(test.call(release_jobs(test.session, test.worker, std::array{back})).empty());
    }
    CHECK(test.call(finish_jobs(test.session, test.worker, std::array{row})).size() == 1);
    CHECK(test.ended() == ended);
    CHECK(test.live_rows().empty());
}

TEST_CASE(
    "complete_job raises for a lease that is not held, so that nothing of the transaction stays",
    "[queue][complete][db]"
) {
    CompleteFixture test;
    test.database.psql("create table effects (n integer)");
    test.add_row({.batch = batch_a});
    const Bundle bundle = test.claim(test.worker, 1).at(0);
    Completion completion = test.of(bundle);
    SECTION("of another claim") {
        completion.claim = ClaimNumber{test.claims + 1};
    }
    SECTION("of another worker") {
        completion.worker = test.add_worker();
    }
    SECTION("that was rescued, and claimed by another") {
        test.kill(test.worker);
        test.call(rescue_jobs(test.session, 10));
        REQUIRE(test.claim(test.add_worker(), 1).size() == 1);
    }
    SECTION("that was given up and claimed again by the same worker") {
        const Unstarted back{.row = bundle.id, .claim = ClaimNumber{test.claims}, .jobs = bit(0)};
        REQUIRE(test.call(release_jobs(test.session, test.worker, std::array{back})).size() == 1);
        REQUIRE(test.claim(test.worker, 1).size() == 1);
    }
    SECTION("of a job that is gone") {
        test.complete(completion);
    }
    const std::string before = test.live_rows() + test.ended();
    const db::Statement effect_sql{"", "insert into effects values (1)"};
    std::string sqlstate;
    tests::run(test.handler_context, [&]() -> asio::awaitable<void> {
        // A handler that swallows the error cannot commit either.
        const auto body = [&](db::Session& inside) -> asio::awaitable<void> {
            co_await inside.execute(effect_sql);
            try {
                co_await complete_job(inside, completion);
            } catch (const db::Error& error) {
                sqlstate = error.sqlstate();
            }
        };
        try {
            co_await db::transact(test.handler, body);
        } catch (const db::Error&) {
        }
    });
    CHECK(sqlstate == "TW001");
    CHECK(test.value("select count(*) from effects") == "0");
    CHECK(test.live_rows() + test.ended() == before);
}

TEST_CASE("complete_job refuses a row that other jobs share, and says what to do", "[queue][complete][db]") {
    CompleteFixture test;
    test.add_row({.jobs = 2});
    const Bundle bundle = test.claim(test.worker, 2).at(0);
    const std::string before = test.live_rows();
    CHECK(test.sqlstate_of(test.of(bundle)) == "TW002");
    CHECK_THROWS_WITH(test.complete(test.of(bundle)), Catch::Contains("shared") && Catch::Contains("own_row"));
    CHECK(test.live_rows() == before);
}

TEST_CASE("nobody but who cancels the job waits for a handler's transaction", "[queue][complete][race][db]") {
    CompleteFixture test;
    test.add_rows({.rows = 2});
    const std::vector<Bundle> bundles = test.claim(test.worker, 2);
    const Bundle& bundle = bundles.at(0);
    const JobId job = job_id(bundle.id, 0);
    test.database.psql(
        "insert into task_queue.task_progress (job_id) values (" + std::to_string(static_cast<std::int64_t>(job)) + ")"
    );
    std::future<CancelAnswer> cancelled;
    const bool commits = GENERATE(true, false);
    const auto while_open = [&] {
        const TaskProgress report{.job = job, .row = bundle.id, .claim = ClaimNumber{test.claims}, .done = 1};
        test.call(record_task_progress(test.session, test.worker, std::array{report}));
        // Another row of the same worker ends meanwhile, the heartbeat reads, a rescue passes over the locked row.
        const FinishedRow other{.row = bundles.at(1).id, .claim = ClaimNumber{test.claims}, .done = bit(0)};
        CHECK(test.call(finish_jobs(test.session, test.worker, std::array{other})).empty());
        CHECK(test.call(record_heartbeat(test.session, test.worker)).alive);
        test.kill(test.worker);
        CHECK(test.call(rescue_jobs(test.session, 10)).rows == 0);
        cancelled = tests::in_background(test.database, [job](db::Session& on) { return cancel_job(on, job); });
        tests::await_blocked(test.database);
        if (!commits) throw std::runtime_error("rolled back");
    };
    if (commits) {
        test.complete(test.of(bundle), while_open);
    } else {
        CHECK_THROWS(test.complete(test.of(bundle), while_open));
    }
    CHECK(cancelled.get() == (commits ? CancelAnswer::finished : CancelAnswer::stopping));
    CHECK(test.call(rescue_jobs(test.session, 10)).cancelled == (commits ? 0 : 1));
    CHECK(test.value("select count(*) from task_queue.task_progress") == "0");
    CHECK(test.holds(2));
}

TEST_CASE("a job asked to stop completes all the same", "[queue][complete][cancel][db]") {
    CompleteFixture test;
    test.add_row({});
    const Bundle bundle = test.claim(test.worker, 1).at(0);
    REQUIRE(tests::run(test.context, [&] {
                return cancel_job(test.session, job_id(bundle.id, 0));
            }) == CancelAnswer::stopping);
    test.complete(test.of(bundle));
    CHECK(test.value("select state from task_queue.jobs") == "completed");
}

TEST_CASE("a session that completed a job may not wait longer than the lease lives", "[queue][complete][db]") {
    CompleteFixture test;
    const std::string before = GENERATE("0", "10min", "2h");
    INFO("it was " << before);
    test.add_row({});
    Completion completion = test.of(test.claim(test.worker, 1).at(0));
    completion.longest_idle = 1h;
    const std::string set_text = "set local idle_in_transaction_session_timeout = '" + before + "'";
    const db::Statement set_sql{"", set_text.c_str()};
    std::string inside_transaction;
    std::string after;
    tests::run(test.handler_context, [&]() -> asio::awaitable<void> {
        const auto body = [&](db::Session& inside) -> asio::awaitable<void> {
            co_await inside.execute(set_sql);
            co_await complete_job(inside, completion);
            const db::Rows rows = co_await inside.execute(idle_sql);
            inside_transaction = rows.front().get<std::string>(0);
        };
        co_await db::transact(test.handler, body);
        const db::Rows rows = co_await test.handler.execute(idle_sql);
        after = rows.front().get<std::string>(0);
    });
    CHECK(inside_transaction == (before == "10min" ? "10min" : "1h"));
    CHECK(after == "0");
}

TEST_CASE(
    "the row of a client that vanished in its transaction is free once its session waited too long",
    "[queue][complete][db]"
) {
    CompleteFixture test;
    test.add_row({});
    Completion completion = test.of(test.claim(test.worker, 1).at(0));
    completion.longest_idle = 100ms;
    db::begin(test.handler);
    tests::run(test.handler_context, [&] { return complete_job(test.handler, completion); });
    test.kill(test.worker);
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (test.call(rescue_jobs(test.session, 10)).rows == 0) {
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("the row stays locked");
    }
    CHECK_THROWS_AS(tests::run(test.handler_context, [&] { return db::commit(test.handler); }), db::Error);
    CHECK(test.value("select state || ' ' || attempt from task_queue.jobs") == "available 0");
}

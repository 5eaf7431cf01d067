// Batches: no batch finishes early, none is forgotten, every callback is enqueued exactly once.

#include "db/error.hpp"
#include "queue/batches.hpp"
#include "queue/dead.hpp"
#include "queue/enqueue.hpp"
#include "tests/support/background.hpp"
#include "tests/support/batch_fixture.hpp"
#include "tests/support/catch.hpp"

#include <atomic>
#include <thread>

using namespace queue;
using tests::batch_id;
using tests::BatchFixture;
using tests::quoted;
namespace asio = boost::asio;

TEST_CASE("a batch finishes once, with callbacks by its outcome", "[queue][batch][db]") {
    BatchFixture test;
    test.enqueue(10, 4);
    CHECK(test.counts() == "open 10: 0/0/0 running 0 waiting 10");
    CHECK(test.fold().finished.empty());
    CHECK(test.seal());
    CHECK_FALSE(test.seal());

    SECTION("all completed") {
        test.finish(10);
        CHECK(test.fold().finished == std::vector<BatchId>{batch_id});
        CHECK(test.callbacks() == "done good");
        CHECK(test.counts() == "finished 10: 10/0/0 running 0 waiting 0");
        CHECK(test.status().percent == 100);
        CHECK(
            test.value("select args::jsonb from task_queue.bundles order by id limit 1") ==
            R"([{"args": {"x": 1}, "name": "b", "round": 1, "total": 10, "batch_id": ")" + batch_id +
                R"(", "cancelled": 0, "completed": 10, "discarded": 0}])"
        );
    }
    SECTION("one discarded") {
        test.finish(1, Leave::discard);
        test.finish(9);
        CHECK(test.fold().finished.size() == 1);
        CHECK(test.callbacks() == "done bad");
        CHECK(test.counts() == "finished 10: 9/1/0 running 0 waiting 0");
    }
    SECTION("half done") {
        test.finish(5);
        CHECK(test.counts() == "sealed 10: 5/0/0 running 0 waiting 5");
        CHECK(test.fold().finished.empty());
        CHECK(test.counts() == "sealed 10: 5/0/0 running 0 waiting 5");
        CHECK(test.status().percent == 50);
        CHECK(test.status().recent_rate > 0);
        CHECK(test.status().eta.has_value());
    }
    CHECK(test.fold().finished.empty());
}

TEST_CASE("an empty batch finishes when it is sealed", "[queue][batch][db]") {
    BatchFixture test;
    CHECK(test.fold().finished.empty());
    test.seal();
    CHECK(test.fold().finished == std::vector<BatchId>{batch_id});
    CHECK(test.callbacks() == "done good");
}

// An enqueue whose transaction is open while the batch is sealed: a callback with half the jobs in it was the bug.
TEST_CASE("sealing waits for enqueues that have not committed", "[queue][batch][race][db]") {
    BatchFixture test;
    test.enqueue(1);
    test.finish(1);
    tests::OpenTransaction late(test.database);
    late.execute("select task_queue.enqueue('work', '2', batch_id => " + quoted + ")");
    auto sealed =
        tests::in_background(test.database, [](db::Session& session) { return seal_batch(session, batch_id); });
    tests::await_blocked(test.database);
    CHECK(test.fold().finished.empty());
    late.commit();
    CHECK(sealed.get());
    CHECK(test.fold().finished.empty());
    CHECK(test.counts() == "sealed 2: 1/0/0 running 0 waiting 1");
    test.finish(1);
    CHECK(test.fold().finished.size() == 1);
    CHECK(test.callbacks() == "done good");
}

TEST_CASE(
    "an enqueue that meets a seal is in the batch or refused, in every isolation level", "[queue][batch][race][db]"
) {
    BatchFixture test;
    const std::string isolation = GENERATE("read committed", "repeatable read", "serializable");
    tests::OpenTransaction enqueue(test.database, isolation);
    enqueue.execute("select count(*) from task_queue.batches");  // the snapshot of the stricter levels
    test.seal();
    std::string sqlstate;
    try {
        enqueue.execute("select task_queue.enqueue('work', '2', batch_id => " + quoted + ")");
    } catch (const db::Error& error) {
        sqlstate = error.sqlstate();
    }
    CHECK(sqlstate == (isolation == "read committed" ? "55000" : "40001"));
}

// The counts of the changes folded so far may add up while an older enqueue is still unfolded.
TEST_CASE("a fold that takes a few changes at a time finishes nothing early", "[queue][batch][db]") {
    BatchFixture test;
    test.enqueue(2);
    test.finish(2);
    test.enqueue(3);
    test.seal();
    for (int step = 0; step < 10; ++step) {
        CHECK(test.fold({.after = 0, .limit = 1}).finished.empty());
    }
    test.finish(3);
    CHECK(test.fold({.after = 0, .limit = 1}).finished.size() == 1);
    CHECK(test.callbacks() == "done good");
}

TEST_CASE("a fold leaves a batch that somebody has locked, and folds the others", "[queue][batch][race][db]") {
    BatchFixture test;
    const std::string other = test.value("select task_queue.create_batch()");
    test.database.psql("select task_queue.enqueue('work', '1', batch_id => '" + other + "')");
    test.enqueue(1);
    tests::OpenTransaction sealing(test.database);
    sealing.execute("select task_queue.seal_batch(" + quoted + ")");
    CHECK(test.fold().changes == 1);
    CHECK(test.value("select total from task_queue.batches where id = '" + other + "'") == "1");
    sealing.commit();
    CHECK(test.fold().changes == 2);
}

TEST_CASE("fold_batch_changes clears what a pruned batch left behind", "[queue][batch][db]") {
    BatchFixture test;
    test.enqueue(1);
    test.database.psql("delete from task_queue.batches");
    CHECK(test.fold().changes == 1);
    CHECK(test.value("select count(*) from task_queue.batch_changes") == "0");
}

TEST_CASE("several folders at once give exact totals and each callback once", "[queue][batch][race][db]") {
    BatchFixture test;
    constexpr int folders = 4;
    constexpr int producers = 3;
    constexpr int calls = 60;
    std::atomic<bool> stop{false};
    std::atomic<int> finished{0};
    std::vector<std::thread> threads;
    for (int f = 0; f < folders; ++f) {
        threads.emplace_back([&] {
            asio::io_context context;
            db::Session session = test.database.session(context);
            while (!stop) {
                const Folded folded =
                    tests::run(context, [&] { return fold_batch_changes(session, {.after = 0, .limit = 7}); });
                finished += static_cast<int>(folded.finished.size());
            }
        });
    }
    std::vector<std::future<void>> producing;
    for (int p = 0; p < producers; ++p) {
        producing.push_back(tests::in_background(test.database, [](db::Session& session) -> asio::awaitable<void> {
            for (int i = 0; i < calls; ++i) {
                const std::vector<std::string> args(5, "1");
                EnqueueOptions options;
                options.batch = batch_id;
                co_await enqueue_jobs(session, "work", args, options);
            }
        }));
    }
    for (auto& producer : producing) producer.get();
    test.seal();
    int done = 0;
    while (done < producers * calls * 5) done += test.finish(97);
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (finished == 0 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    stop = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(finished == 1);
    CHECK(test.callbacks() == "done good");
    CHECK(test.counts() == "finished 900: 900/0/0 running 0 waiting 0");
    CHECK(test.value("select count(*) from task_queue.batch_changes") == "0");
}

TEST_CASE("batch_status equals the jobs' states at every step, folded or not", "[queue][batch][db]") {
    BatchFixture test;
    test.enqueue(40, 10);
    CHECK(test.counts() == "open 40: 0/0/0 running 0 waiting 40");
    const auto bundles = test.claim(test.worker, 13);
    CHECK(test.counts() == "open 40: 0/0/0 running 13 waiting 27");
    test.fold();
    CHECK(test.counts() == "open 40: 0/0/0 running 13 waiting 27");
    const std::vector<FinishedRow> some{
        {.row = bundles[0].id, .claim = ClaimNumber{test.claims}, .done = 0b11, .leavers = {}, .reported = 0}
    };
    CHECK(test.call(finish_jobs(test.session, test.worker, some)).empty());
    CHECK(test.counts() == "open 40: 2/0/0 running 11 waiting 27");
    // A repeat counts nothing.
    CHECK(test.call(finish_jobs(test.session, test.worker, some)).size() <= 1);
    CHECK(test.counts() == "open 40: 2/0/0 running 11 waiting 27");
    CHECK_FALSE(tests::run(test.context, [&] {
                    return read_batch_status(test.session, "00000000-0000-0000-0000-000000000002");
                }).has_value());
}

TEST_CASE("a redrive after the callback opens the next round, with its own callback", "[queue][batch][dead][db]") {
    BatchFixture test;
    test.enqueue(3);
    test.seal();
    test.finish(2, Leave::discard);
    test.finish(1);
    test.fold();
    REQUIRE(test.callbacks() == "done bad");
    test.database.psql("delete from task_queue.bundles");
    DeadFilter filter;
    filter.batch = batch_id;
    const std::vector<JobId> redriven =
        tests::run(test.context, [&] { return redrive_dead_jobs(test.session, filter); });
    CHECK(redriven.size() == 2);
    CHECK(test.counts() == "sealed 3: 1/0/0 running 0 waiting 2");  // before the fold sees it
    CHECK(test.status().round == 2);
    CHECK_FALSE(test.status().finished_at);

    SECTION("folded before the jobs end") {
        CHECK(test.fold().finished.empty());
        CHECK(test.counts() == "sealed 3: 1/0/0 running 0 waiting 2");
        test.finish(2);
    }
    SECTION("folded together with the jobs' ends") {
        test.finish(2);
    }
    CHECK(test.fold().finished.size() == 1);
    CHECK(test.callbacks() == "done good");
    CHECK(test.status().round == 2);
    CHECK(test.counts() == "finished 3: 3/0/0 running 0 waiting 0");
}

TEST_CASE(
    "seal_due_batches seals what its client left open, but not while it is being filled or changed",
    "[queue][batch][db]"
) {
    BatchFixture test("seal_after => '0 s'");
    const auto seal_due = [&] { return tests::run(test.context, [&] { return seal_due_batches(test.session, 10); }); };
    {
        tests::OpenTransaction filling(test.database);
        filling.execute("select task_queue.enqueue('work', '2', batch_id => " + quoted + ")");
        CHECK(seal_due() == 0);
        filling.commit();
    }
    {
        tests::OpenTransaction changing(test.database);
        changing.execute("select from task_queue.batches where id = " + quoted + " for update");
        CHECK(seal_due() == 0);
        changing.rollback();
    }
    CHECK(seal_due() == 1);
    CHECK(seal_due() == 0);
    CHECK(test.counts() == "sealed 1: 0/0/0 running 0 waiting 1");
}

TEST_CASE("create_batch is safe to repeat, and names what it refuses", "[queue][batch][db]") {
    tests::QueueFixture test;
    const auto create = [&](NewBatch batch) {
        return tests::run(test.context, [&] { return create_batch(test.session, batch); });
    };
    NewBatch batch;
    batch.id = batch_id;
    batch.name = "first";
    batch.seal_after = std::chrono::seconds(60);
    CHECK(create(batch) == batch_id);
    batch.name = "second";
    CHECK(create(batch) == batch_id);
    CHECK(test.value("select name from task_queue.batches") == "first");
    CHECK(create(NewBatch{}).size() == 36);
    const auto listed = tests::run(test.context, [&] { return list_batches(test.session); });
    CHECK(listed.size() == 2);
    CHECK(tests::run(test.context, [&] {
              return list_batches(test.session, {.state = "open", .name = "first"});
          }).size() == 1);
    CHECK(tests::run(test.context, [&] { return list_batches(test.session, {.state = "sealed"}); }).empty());
    batch.callback_queue = "unheard";
    CHECK_THROWS_WITH(create(batch), Catch::Contains("unheard"));
    CHECK_THROWS_WITH(
        tests::run(test.context, [&] { return seal_batch(test.session, "00000000-0000-0000-0000-00000000000f"); }),
        Catch::Contains("does not exist")
    );
}

// Several workers, a leader and impatient users at once: whatever they do to each other, no job is lost, doubled or
// given another's args, and batch counts add up.

#include "db/error.hpp"
#include "db/transaction.hpp"
#include "queue/promote.hpp"
#include "queue/release.hpp"
#include "queue/rescue.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/queue_fixture.hpp"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

using namespace queue;
using namespace std::chrono_literals;

namespace {

const db::Statement cancel_sql{"test_cancel", "select task_queue.cancel($1::bigint)"};
const db::Statement cancel_rows_sql{
    "test_cancel_rows", "select from task_queue.cancel_batch_rows('00000000-0000-0000-0000-00000000000a', 3)"
};

// One client with a session of its own. Collects what went wrong: Catch2's assertions belong to the main thread.
class Client {
public:
    Client(const tests::TestDatabase& database, unsigned seed) : session_(database.session(context_)), random_(seed) {}

    template <class T>
    T call(boost::asio::awaitable<T> function) {
        return tests::run(context_, [&]() -> boost::asio::awaitable<T> {
            auto answers = co_await db::pipelined(session_, fix_plans(session_), std::move(function));
            co_return std::get<1>(std::move(answers));
        });
    }
    int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }
    db::Session& session() { return session_; }

    // Claims some jobs and does something with each, as a worker would; now and then leaves them all behind.
    void work(WorkerId worker, std::int64_t& claims, bool may_die);
    void lead() {
        call(rescue_jobs(session_, 1 + below(5)));
        call(promote_jobs(session_, {}, 1 + below(20)));
    }
    void annoy(int jobs, bool whole_batch) {
        const std::int64_t job = 128 * (1 + below(jobs / 20)) + below(20);
        call(session_.execute(cancel_sql, job));
        if (whole_batch) call(session_.execute(cancel_rows_sql));
    }

private:
    Leaver any_leaver(int n) {
        switch (below(5)) {
            case 0:
                return {.n = n, .as = Leave::retry, .payload = "failed"};
            case 1:
                return {.n = n, .as = Leave::snooze};
            case 2:
                return {.n = n, .as = Leave::discard, .payload = "bad"};
            case 3:
                return {.n = n, .as = Leave::cancel};
            default:
                return {.n = n, .as = Leave::complete_with_result, .payload = "1"};
        }
    }

    boost::asio::io_context context_;
    db::Session session_;
    std::mt19937 random_;
};

void Client::work(WorkerId worker, std::int64_t& claims, bool may_die) {
    ClaimRequest request;
    request.worker = worker;
    request.claim = ClaimNumber{++claims};
    request.lanes = {{.queue = QueueId{1}}};
    request.jobs = 1 + below(30);
    request.rows = 1 + below(4);
    if (below(10) == 0) request.own_row = {KindId{1}};
    std::vector<Bundle> bundles = call(claim_bundles(session_, request));
    if (bundles.empty()) {
        if (const auto suspect = call(claim_suspect(session_, request))) bundles.push_back(*suspect);
    }
    if (may_die && below(8) == 0) return;
    while (!bundles.empty()) {
        std::vector<FinishedRow> finished;
        std::vector<Unstarted> unstarted;
        for (Bundle& bundle : bundles) {
            FinishedRow row{.row = bundle.id, .claim = request.claim};
            Mask kept = 0;
            for (int n = 0; n < max_bundle_jobs; ++n) {
                if ((bundle.pending & bit(n)) == 0) continue;
                const int chance = below(10);
                if (chance < 5) {
                    row.done |= bit(n);
                } else if (chance < 7) {
                    row.leavers.push_back(any_leaver(n));
                } else {
                    kept |= bit(n);
                }
            }
            bundle.pending = kept;
            finished.push_back(std::move(row));
            if (kept != 0 && below(3) == 0) {
                const Mask tail = below(2) == 0 ? kept : kept & ~(kept & -kept);
                if (tail != 0) unstarted.push_back({bundle.id, request.claim, tail});
                bundle.pending &= ~tail;
            }
        }
        std::shuffle(finished.begin(), finished.end(), random_);
        call(finish_jobs(session_, worker, finished));
        if (below(4) == 0) call(finish_jobs(session_, worker, finished));  // as after a lost answer
        call(release_jobs(session_, worker, unstarted));
        std::erase_if(bundles, [](const Bundle& bundle) { return bundle.pending == 0; });
    }
}

}  // namespace

TEST_CASE("no job is lost or doubled, whatever workers and users do to each other", "[queue][soak][db]") {
    constexpr int jobs = 6'000;
    tests::QueueFixture queue;
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    const std::string batch = "'00000000-0000-0000-0000-00000000000a'";
    queue.database.psql("insert into task_queue.batches (id) values (" + batch + ")");
    queue.add_rows({.rows = jobs / 20, .jobs = 20, .batch = batch});

    std::mutex mutex;
    std::string failure;
    std::atomic<bool> stop{false};
    const auto in_thread = [&](auto body) {
        return std::thread([&, body] {
            try {
                body();
            } catch (const std::exception& error) {
                const std::lock_guard lock(mutex);
                failure += std::string(error.what()) + "; ";
                stop = true;
            }
        });
    };
    std::vector<std::thread> workers;
    for (unsigned n = 0; n < 4; ++n) {
        workers.push_back(in_thread([&, n] {
            Client client(queue.database, seed + n);
            std::int64_t claims = 0;
            WorkerId worker{};
            for (int round = 0; round < 100 && !stop; ++round) {
                // A new life under a new name; what the old one held is for the rescue.
                if (round % 10 == 0) {
                    if (round > 0)
                        client.call(queue::declare_dead(client.session(), std::vector<SeenBeat>{{worker, 0}}));
                    worker = client.call(register_worker(client.session(), {.host = "here"}));
                }
                client.work(worker, claims, true);
            }
            client.call(queue::declare_dead(client.session(), std::vector<SeenBeat>{{worker, 0}}));
        }));
    }
    std::vector<std::thread> others;
    others.push_back(in_thread([&] {
        Client client(queue.database, seed + 10);
        while (!stop) client.lead();
    }));
    others.push_back(in_thread([&] {
        Client client(queue.database, seed + 11);
        for (int round = 0; !stop; ++round) client.annoy(jobs, round % 20 == 0);
    }));
    for (std::thread& worker : workers) worker.join();
    stop = true;
    for (std::thread& other : others) other.join();
    INFO(failure);
    CHECK(failure.empty());
    CHECK(queue.holds(jobs));

    // A quiet worker ends what is left.
    Client last(queue.database, seed + 20);
    const WorkerId worker = last.call(register_worker(last.session(), {.host = "here"}));
    std::int64_t claims = 0;
    for (int round = 0; round < 100'000 && queue.value("select count(*) from task_queue.bundles") != "0"; ++round) {
        last.lead();
        last.work(worker, claims, false);
    }
    CHECK(queue.live_rows().empty());
    CHECK(queue.holds(jobs));
    CHECK(
        queue.value("select sum(completed + discarded + cancelled) from task_queue.batch_changes") ==
        std::to_string(jobs)
    );
    CHECK(queue.value(R"sql(
        select concat_ws(' ', sum(completed), sum(discarded), sum(cancelled)) = concat_ws(
            ' ',
            (select sum(task_queue.count_jobs(members)) from task_queue.finished_bundles where state = 5),
            (select count(*) from task_queue.dead_jobs),
            (select sum(task_queue.count_jobs(members)) from task_queue.finished_bundles where state = 6)
        )
        from task_queue.batch_changes
    )sql") == "t");
}

// Backends that are terminated all the while, under load.
#include "tests/support/catch.hpp"
#include "tests/support/pool_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <future>
#include <mutex>
#include <string>
#include <vector>

using namespace tests;
using namespace std::chrono_literals;
template <class T = void>
using awaitable = boost::asio::awaitable<T>;

namespace {

// The backends that are gone, in the order in which they went.
class Graveyard {
public:
    void bury(std::int64_t pid) {
        const std::lock_guard lock(mutex_);
        pids_.push_back(pid);
    }
    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return pids_.size();
    }
    bool is_among_first(std::size_t count, std::int64_t pid) const {
        const std::lock_guard lock(mutex_);
        const auto end = pids_.begin() + static_cast<std::ptrdiff_t>(count);
        return std::find(pids_.begin(), end, pid) != end;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::int64_t> pids_;
};

// Ends up to three idle sessions at a time, and knows when their processes are gone.
class Terminator {
public:
    Terminator(const TestDatabase& database, Graveyard& graveyard)
        : done_(std::async(std::launch::async, [this, &database, &graveyard] {
              while (!stop_) {
                  for (const auto& row : database.psql(terminate)) {
                      while (database.value("select count(*) from pg_stat_activity where pid = " + row.at(0)) != "0") {
                      }
                      graveyard.bury(std::stoll(row.at(0)));
                  }
              }
          })) {}
    ~Terminator() {
        stop_ = true;
        if (done_.valid()) done_.wait();
    }
    // Throws what ended it before its time.
    void check() {
        if (done_.wait_for(0s) == std::future_status::ready) done_.get();
    }
    Terminator(const Terminator&) = delete;
    Terminator& operator=(const Terminator&) = delete;

private:
    // Those that lie in the pool: one that dies at work is noticed by its statement.
    static constexpr const char* terminate =
        "select pid from (select pid from pg_stat_activity where datname = current_database() and state = 'idle' and "
        "state_change < clock_timestamp() - interval '2 ms' order by random() limit 3) victims where "
        "pg_terminate_backend(pid)";

    std::atomic<bool> stop_ = false;
    std::future<void> done_;
};

}  // namespace

TEST_CASE("pool_pre_ping: while backends are terminated under load no dead session is lent", "[db][pool][setting]") {
    if (skipped_without_direct("it needs server processes of its own")) return;
    constexpr std::size_t wanted = 40;
    constexpr int busy = 4;  // without a pause
    constexpr int callers = 12;
    db::PoolSettings settings;
    settings.pool_size = callers;
    settings.max_overflow = 0;
    PoolFixture fixture(settings, Route::direct);
    Graveyard graveyard;
    int working = callers;
    int lent_dead = 0;
    int refused = 0;
    int died_on_loan = 0;
    int answers = 0;
    const auto work = [&](std::chrono::milliseconds pause) -> awaitable<> {
        boost::asio::steady_timer timer(fixture.context);
        while (graveyard.size() < wanted || answers <= static_cast<int>(wanted)) {
            const std::size_t gone = graveyard.size();
            try {
                db::Session session = co_await fixture.pool.checkout();
                lent_dead += graveyard.is_among_first(gone, session.connection().backend_pid()) ? 1 : 0;
                co_await pid_of(session);
                ++answers;
            } catch (const db::Error& error) {
                ++(error.is_connection_lost() ? died_on_loan : refused);
            }
            timer.expires_after(pause);
            co_await timer.async_wait(boost::asio::use_awaitable);
        }
        --working;
    };
    Terminator terminator(fixture.database, graveyard);
    fixture.run([&]() -> awaitable<> {
        // The others come all at once, and seldom enough that what they need lies idle, and dies, in between.
        for (int i = 0; i < callers; ++i) {
            boost::asio::co_spawn(fixture.context, work(i < busy ? 0ms : 40ms), boost::asio::detached);
        }
        co_await fixture.until([&](const db::PoolStats&) {
            terminator.check();
            return working == 0;
        });
    });
    INFO(answers << " answers, " << died_on_loan << " died on loan, " << graveyard.size() << " terminated");
    CHECK(lent_dead == 0);
    CHECK(refused == 0);
    CHECK(fixture.pool.stats().invalid > 0);
}

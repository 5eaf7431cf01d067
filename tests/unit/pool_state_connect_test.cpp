// Connects that fail.
#include "tests/support/catch.hpp"
#include "tests/support/pool_state_given.hpp"

#include <set>
#include <utility>

using namespace db;
using namespace tests;
using namespace std::chrono_literals;

namespace {

struct Failing {
    explicit Failing(const PoolSettings& settings, std::uint64_t seed = 1) : pool(settings, seed) {}

    // One more connect, for a waiter, fails: how long none is begun. `now` is the end of that time.
    std::chrono::nanoseconds fail() {
        Actions actions;
        pool.wait(now, actions);
        REQUIRE(kinds(actions) == std::vector{Kind::open});
        pool.open_failed(actions[0].slot, now, actions);
        const auto failed_at = std::exchange(now, pool.next_upkeep(now));
        return now - failed_at;
    }

    PoolState pool;
    PoolState::Time now = start;
};

}  // namespace

TEST_CASE("PoolState fails the front waiter when a connect fails", "[db][pool]") {
    PoolState pool(small_pool());
    Actions actions;
    const auto first = pool.wait(start, actions);
    pool.wait(start, actions);
    Actions failed;
    pool.open_failed(actions[0].slot, start, failed);
    REQUIRE(kinds(failed) == std::vector{Kind::fail});
    CHECK(failed[0].ticket == first);
}

TEST_CASE("PoolState fails every waiter that can hope for no other connection", "[db][pool]") {
    PoolSettings settings = small_pool();
    settings.connecting_limit = 1;
    PoolState pool(settings);
    Actions actions;
    for (int i = 0; i < 5; ++i) pool.wait(start, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::open});
    Actions failed;
    pool.open_failed(actions[0].slot, start, failed);
    CHECK(kinds(failed) == std::vector<Kind>(5, Kind::fail));

    PoolState lending = warm(settings, 1);  // one on loan may come back
    lending.take(start);
    actions.clear();
    for (int i = 0; i < 5; ++i) lending.wait(start, actions);
    failed.clear();
    lending.open_failed(actions[0].slot, start, failed);
    CHECK(kinds(failed) == std::vector{Kind::fail});
    failed.clear();
    lending.upkeep(lending.next_upkeep(start), failed);
    CHECK(kinds(failed) == std::vector{Kind::open});  // for those who still wait
}

TEST_CASE("PoolState pauses longer after each connect that fails, up to two seconds", "[db][pool]") {
    Failing failing(small_pool());
    std::set<std::chrono::nanoseconds> pauses;
    for (const auto longest : {100ms, 200ms, 400ms, 800ms, 1600ms, 2000ms, 2000ms, 2000ms, 2000ms}) {
        const auto pause = failing.fail();
        CHECK(pause >= longest / 2);
        CHECK(pause <= longest);
        pauses.insert(pause);
    }
    CHECK(pauses.size() > 6);  // jitter
    CHECK(Failing(small_pool(), 17).fail() != Failing(small_pool(), 4).fail());
}

TEST_CASE("PoolState counts connects that fail together once, and forgets them after a success", "[db][pool]") {
    PoolState pool(small_pool());
    Actions actions;
    for (int i = 0; i < 3; ++i) pool.wait(start, actions);
    REQUIRE(actions.size() == 3);
    for (const auto& open : Actions(actions)) pool.open_failed(open.slot, start, actions);
    CHECK(pool.next_upkeep(start) <= start + 100ms);

    Failing failing(small_pool());
    for (int i = 0; i < 5; ++i) failing.fail();
    actions.clear();
    failing.pool.wait(failing.now, actions);
    failing.pool.opened(actions.at(0).slot, failing.now, actions);
    CHECK(failing.fail() <= 100ms);
}

TEST_CASE(
    "PoolState lets who comes during the pause wait for one attempt, and opens for all when it works", "[db][pool]"
) {
    Failing failing(small_pool());
    failing.fail();
    PoolState& pool = failing.pool;
    Actions actions;
    for (int i = 0; i < 3; ++i) pool.wait(failing.now - 1ns, actions);
    pool.upkeep(failing.now - 1ns, actions);
    CHECK(actions.empty());
    pool.upkeep(failing.now, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::open});
    pool.opened(actions[0].slot, failing.now, actions);
    CHECK(kinds(actions) == std::vector{Kind::open, Kind::lend, Kind::open, Kind::open});
}

// Connections of age.
#include "tests/support/catch.hpp"
#include "tests/support/pool_state_given.hpp"

using namespace db;
using namespace tests;
using namespace std::chrono_literals;

namespace {

// Free connections that are all due to be replaced, and the first replacement being opened.
struct Aged {
    explicit Aged(int connections) : pool(warm(settings(), connections)) {
        Actions actions;
        pool.upkeep(now, actions);
        REQUIRE(kinds(actions) == std::vector{Kind::open});
        replacement = actions[0].slot;
    }
    static PoolSettings settings() {
        PoolSettings settings = small_pool();
        settings.pool_recycle = 100s;
        settings.pool_pre_ping = false;
        return settings;
    }

    PoolState pool;
    PoolState::Time now = start + 96s;
    PoolState::Slot replacement = 0;
};

}  // namespace

TEST_CASE("PoolState never lends a connection past its age", "[db][pool]") {
    PoolSettings settings = small_pool();
    settings.pool_recycle = 10s;
    settings.pre_ping_after = 1h;
    PoolState pool = warm(settings, 1);
    CHECK(pool.take(start + 9'999ms));
    Actions actions;
    pool.returned(0, Condition::clean, start + 9'999ms, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::open});  // its replacement
    CHECK_FALSE(pool.take(start + 10s));
    pool.wait(start + 10s, actions);
    pool.opened(actions[0].slot, start + 11s, actions);
    CHECK(kinds(actions) == std::vector{Kind::open, Kind::close, Kind::lend});
    CHECK(actions[1].reason == CloseReason::recycled);
    CHECK(actions[2].slot == actions[0].slot);
}

TEST_CASE("PoolState opens the replacement of a connection of age before it closes it", "[db][pool]") {
    PoolSettings settings = small_pool();
    settings.pool_recycle = 100s;
    PoolState pool = warm(settings, 2);
    const auto due = pool.next_upkeep(start);
    CHECK(due > start + 75s);
    CHECK(due <= start + 95s);
    Actions actions;
    pool.upkeep(due - 1ms, actions);
    CHECK(actions.empty());
    pool.upkeep(due, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::open});
    CHECK(pool.stats().checked_in == 2);  // the old one serves meanwhile
    pool.upkeep(start + 96s, actions);    // the other is due as well, and must wait for its turn
    CHECK(actions.size() == 1);
    Actions replaced;
    pool.opened(actions[0].slot, due, replaced);
    REQUIRE(kinds(replaced) == std::vector{Kind::close});
    CHECK(replaced[0].reason == CloseReason::recycled);
    CHECK(replaced[0].slot != actions[0].slot);
    CHECK(pool.stats().checked_in == 2);
    CHECK(pool.next_upkeep(due) > due);
}

TEST_CASE("PoolState closes a replaced connection when it comes back, and no other in its stead", "[db][pool]") {
    Aged aged(2);
    const auto first = aged.pool.take(aged.now);
    const auto second = aged.pool.take(aged.now);
    Actions opened;
    aged.pool.opened(aged.replacement, aged.now, opened);
    CHECK(opened.empty());  // free; the one it replaces is on loan
    Actions returned;
    aged.pool.returned(*first, Condition::clean, aged.now, returned);
    aged.pool.returned(*second, Condition::clean, aged.now, returned);
    int recycled = 0;
    for (const auto& action : returned) {
        if (action.kind != Kind::close) continue;
        CHECK(action.reason == CloseReason::recycled);
        ++recycled;
    }
    CHECK(recycled == 1);
    CHECK(aged.pool.stats().checked_in == 2);
}

TEST_CASE("PoolState keeps a connection of age when its replacement cannot be opened, and tries again", "[db][pool]") {
    Aged aged(1);
    Actions actions;
    aged.pool.open_failed(aged.replacement, aged.now, actions);
    CHECK(actions.empty());
    const auto again = aged.pool.next_upkeep(aged.now);
    CHECK(again > aged.now);
    aged.pool.upkeep(again - 1ns, actions);
    CHECK(actions.empty());
    aged.pool.upkeep(again, actions);
    CHECK(kinds(actions) == std::vector{Kind::open});
    CHECK(aged.pool.take(again));
}

TEST_CASE("PoolState fails no waiter for a replacement that cannot be opened", "[db][pool]") {
    Aged aged(2);
    aged.pool.take(aged.now);
    aged.pool.take(aged.now);
    Actions actions;
    aged.pool.wait(aged.now, actions);
    CHECK(actions.empty());
    aged.pool.open_failed(aged.replacement, aged.now, actions);
    CHECK(actions.empty());
    aged.pool.upkeep(aged.pool.next_upkeep(aged.now), actions);
    CHECK(kinds(actions) == std::vector{Kind::open});  // for the waiter
}

#include "db/pool_state.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>

using namespace db;
using namespace std::chrono_literals;
using Kind = PoolState::Action::Kind;
using Condition = PoolState::Condition;

namespace {

PoolSettings small_pool() {
    PoolSettings settings;
    settings.pool_size = 2;
    settings.max_overflow = 1;
    return settings;
}

std::vector<Kind> kinds(const PoolState::Actions& actions) {
    std::vector<Kind> kinds;
    for (const auto& action : actions) kinds.push_back(action.kind);
    return kinds;
}

const PoolState::Time start{1h};

// A pool with `n` connections, all free but those beyond pool_size.
PoolState warm(const PoolSettings& settings, int n) {
    PoolState pool(settings);
    PoolState::Actions actions;
    for (int i = 0; i < n; ++i) pool.wait(start, actions);
    for (std::size_t i = 0; i < actions.size(); ++i) {
        if (actions[i].kind == Kind::open) pool.opened(PoolState::Slot{actions[i].slot}, start, actions);
    }
    for (const auto& action : PoolState::Actions(actions)) {
        if (action.kind == Kind::lend) pool.returned(action.slot, Condition::clean, start, actions);
    }
    return pool;
}

}  // namespace

TEST_CASE("PoolState opens for the first waiter and lends what was opened", "[db][pool]") {
    PoolState pool(small_pool());
    PoolState::Actions actions;
    CHECK_FALSE(pool.take(start));
    const auto ticket = pool.wait(start, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::open});
    CHECK(pool.stats().checked_out == 1);
    CHECK(pool.stats().waiting == 1);
    PoolState::Actions lends;
    pool.opened(actions[0].slot, start, lends);
    REQUIRE(kinds(lends) == std::vector{Kind::lend});
    CHECK(lends[0].ticket == ticket);
}

TEST_CASE("PoolState reuses the connection returned last", "[db][pool]") {
    PoolState pool = warm(small_pool(), 2);
    const auto first = pool.take(start);
    const auto second = pool.take(start);
    PoolState::Actions actions;
    pool.returned(*first, Condition::clean, start, actions);
    pool.returned(*second, Condition::clean, start, actions);
    CHECK(pool.take(start) == second);
    CHECK(actions.empty());
}

TEST_CASE("PoolState counts overflow from pool_size up, and closes it on return", "[db][pool]") {
    PoolState pool(small_pool());
    PoolState::Actions actions;
    for (int i = 0; i < 4; ++i) pool.wait(start, actions);
    REQUIRE(actions.size() == 3);  // size 2 + overflow 1
    const PoolStats stats = pool.stats();
    CHECK(stats.checked_in == 0);
    CHECK(stats.checked_out == 3);
    CHECK(stats.overflow == 1);
    CHECK(stats.waiting == 4);
    PoolState::Actions rest;
    for (const auto& action : actions) pool.opened(action.slot, start, rest);
    pool.returned(rest[0].slot, Condition::clean, start, rest);  // serves the fourth
    CHECK(rest.back().kind == Kind::lend);
    PoolState::Actions last;
    pool.returned(rest[1].slot, Condition::clean, start, last);
    REQUIRE(kinds(last) == std::vector{Kind::close});
    CHECK(last[0].reason == CloseReason::overflow);
    CHECK(pool.stats().overflow == 0);
}

TEST_CASE("PoolState tests a connection that was idle too long before it lends it", "[db][pool]") {
    PoolState pool = warm(small_pool(), 1);
    CHECK_FALSE(pool.take(start + 6s));
    PoolState::Actions actions;
    pool.wait(start + 6s, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::test});
    PoolState::Actions lends;
    pool.tested(actions[0].slot, Condition::clean, start + 6s, lends);
    CHECK(kinds(lends) == std::vector{Kind::lend});
}

TEST_CASE("PoolState never lends a connection past its age", "[db][pool]") {
    PoolSettings settings = small_pool();
    settings.pool_recycle = 10s;
    settings.pre_ping_after = 1h;
    PoolState pool = warm(settings, 1);
    CHECK(pool.take(start + 9'999ms));
    PoolState::Actions actions;
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
    PoolState::Actions actions;
    pool.upkeep(due - 1ms, actions);
    CHECK(actions.empty());
    pool.upkeep(due, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::open});
    CHECK(pool.stats().checked_in == 2);  // the old one serves meanwhile
    pool.upkeep(start + 96s, actions);    // the other is due as well, and must wait for its turn
    CHECK(actions.size() == 1);
    PoolState::Actions replaced;
    pool.opened(actions[0].slot, due, replaced);
    REQUIRE(kinds(replaced) == std::vector{Kind::close});
    CHECK(replaced[0].reason == CloseReason::recycled);
    CHECK(replaced[0].slot != actions[0].slot);
    CHECK(pool.stats().checked_in == 2);
    CHECK(pool.next_upkeep(due) > due);
}

TEST_CASE("PoolState closes a replaced connection when it comes back, and no other in its stead", "[db][pool]") {
    PoolSettings settings = small_pool();
    settings.pool_recycle = 100s;
    settings.pool_pre_ping = false;
    PoolState pool = warm(settings, 2);
    const auto now = start + 96s;
    PoolState::Actions actions;
    pool.upkeep(now, actions);
    const auto first = pool.take(now);
    const auto second = pool.take(now);
    PoolState::Actions opened;
    pool.opened(actions.at(0).slot, now, opened);
    CHECK(opened.empty());  // free; the one it replaces is on loan
    PoolState::Actions returned;
    pool.returned(*first, Condition::clean, now, returned);
    pool.returned(*second, Condition::clean, now, returned);
    int recycled = 0;
    for (const auto& action : returned) {
        if (action.kind != Kind::close) continue;
        CHECK(action.reason == CloseReason::recycled);
        ++recycled;
    }
    CHECK(recycled == 1);
    CHECK(pool.stats().checked_in == 2);
}

TEST_CASE("PoolState keeps a connection of age when its replacement cannot be opened", "[db][pool]") {
    PoolSettings settings = small_pool();
    settings.pool_recycle = 100s;
    settings.pool_pre_ping = false;
    PoolState pool = warm(settings, 1);
    const auto now = start + 96s;
    PoolState::Actions actions;
    pool.upkeep(now, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::open});
    PoolState::Actions failed;
    pool.open_failed(actions[0].slot, now, failed);
    CHECK(failed.empty());
    CHECK(pool.next_upkeep(now) == now + 1s);
    pool.upkeep(now + 999ms, failed);
    CHECK(failed.empty());
    CHECK(pool.take(now));
}

TEST_CASE("PoolState fails no waiter for a replacement that cannot be opened", "[db][pool]") {
    PoolSettings settings = small_pool();
    settings.pool_recycle = 100s;
    settings.pool_pre_ping = false;
    PoolState pool = warm(settings, 2);
    const auto now = start + 96s;
    PoolState::Actions actions;
    pool.upkeep(now, actions);
    pool.take(now);
    pool.take(now);
    pool.wait(now, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::open});
    PoolState::Actions failed;
    pool.open_failed(actions[0].slot, now, failed);
    CHECK(kinds(failed) == std::vector{Kind::open});  // for the waiter
}

TEST_CASE("PoolState lets nobody overtake who waits for a suspicious connection", "[db][pool]") {
    PoolState pool = warm(small_pool(), 2);
    const auto dead = pool.take(start);
    PoolState::Actions actions;
    pool.found_suspicious(*dead, actions);
    pool.wait(start, actions);
    CHECK_FALSE(pool.take(start));
    pool.wait(start, actions);  // the other connection may be as dead
    CHECK(kinds(actions) == std::vector{Kind::test, Kind::test});
}

TEST_CASE("PoolState tests a connection that came back under suspicion before a waiter gets it", "[db][pool]") {
    PoolSettings settings = small_pool();
    settings.pool_size = 1;
    settings.max_overflow = 0;
    PoolState pool = warm(settings, 1);
    const auto lent = pool.take(start);
    PoolState::Actions actions;
    pool.wait(start, actions);
    pool.returned(*lent, Condition::suspect, start, actions);
    CHECK(kinds(actions) == std::vector{Kind::test});
    pool.tested(*lent, Condition::clean, start, actions);
    CHECK(kinds(actions) == std::vector{Kind::test, Kind::lend});
}

TEST_CASE("PoolState closes every older connection once one was lost", "[db][pool]") {
    PoolSettings settings = small_pool();
    settings.max_overflow = 0;
    settings.pool_size = 3;
    PoolState pool = warm(settings, 3);
    PoolState::Actions actions;
    const auto dead = pool.take(start + 1s);
    const auto lent = pool.take(start + 1s);
    pool.returned(*dead, Condition::lost, start + 2s, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::close, Kind::close});  // itself and the free one
    CHECK(pool.stats().invalid == 2);
    actions.clear();
    pool.returned(*lent, Condition::clean, start + 3s, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::close});
    CHECK(actions[0].reason == CloseReason::invalid);
    actions.clear();
    pool.wait(start + 3s, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::open});
    pool.opened(actions[0].slot, start + 3s, actions);
    pool.returned(actions[0].slot, Condition::clean, start + 4s, actions);
    CHECK(pool.take(start + 4s));  // younger than the loss
}

TEST_CASE("PoolState closes a spent connection and trusts the others", "[db][pool]") {
    PoolState pool = warm(small_pool(), 2);
    PoolState::Actions actions;
    const auto lent = pool.take(start + 1s);
    pool.returned(*lent, Condition::spent, start + 1s, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::close});
    CHECK(actions[0].reason == CloseReason::dirty);
    CHECK(pool.stats().invalid == 0);
    CHECK(pool.take(start + 1s));
}

TEST_CASE("PoolState resets a session that came back inside a transaction before it lends it", "[db][pool]") {
    PoolState pool = warm(small_pool(), 1);
    PoolState::Actions actions;
    const auto lent = pool.take(start);
    pool.returned(*lent, Condition::dirty, start, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::reset});
    CHECK_FALSE(pool.take(start));
    const bool cleaned = GENERATE(true, false);
    actions.clear();
    pool.tested(*lent, cleaned ? Condition::clean : Condition::dirty, start, actions);
    CHECK(pool.stats().closed[static_cast<std::size_t>(CloseReason::dirty)] == (cleaned ? 0 : 1));
    CHECK(pool.take(start).has_value() == cleaned);
}

TEST_CASE("PoolState fails the front waiter when a connect fails", "[db][pool]") {
    PoolState pool(small_pool());
    PoolState::Actions actions;
    const auto first = pool.wait(start, actions);
    pool.wait(start, actions);
    PoolState::Actions failed;
    pool.open_failed(actions[0].slot, start, failed);
    REQUIRE(kinds(failed) == std::vector{Kind::fail});
    CHECK(failed[0].ticket == first);
}

TEST_CASE("PoolState fails every waiter that can hope for no other connection", "[db][pool]") {
    PoolSettings settings = small_pool();
    settings.connecting_limit = 1;
    PoolState pool(settings);
    PoolState::Actions actions;
    for (int i = 0; i < 5; ++i) pool.wait(start, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::open});
    PoolState::Actions failed;
    pool.open_failed(actions[0].slot, start, failed);
    CHECK(kinds(failed) == std::vector<Kind>(5, Kind::fail));

    PoolState lending = warm(settings, 1);  // one on loan may come back
    lending.take(start);
    actions.clear();
    for (int i = 0; i < 5; ++i) lending.wait(start, actions);
    failed.clear();
    lending.open_failed(actions[0].slot, start, failed);
    CHECK(kinds(failed) == std::vector{Kind::fail, Kind::open});
}

TEST_CASE("PoolState refuses everything once it is shut down", "[db][pool]") {
    PoolState pool = warm(small_pool(), 2);
    const auto lent = pool.take(start);
    PoolState::Actions actions;
    pool.shut_down(actions);
    REQUIRE(kinds(actions) == std::vector{Kind::close});
    CHECK_FALSE(pool.take(start));
    actions.clear();
    pool.wait(start, actions);
    CHECK(kinds(actions) == std::vector{Kind::fail});
    CHECK_FALSE(pool.is_empty());
    actions.clear();
    pool.returned(*lent, Condition::clean, start, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::close});
    CHECK(actions[0].reason == CloseReason::shutdown);
    CHECK(pool.is_empty());
}

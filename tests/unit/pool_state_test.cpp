#include "tests/support/catch.hpp"
#include "tests/support/pool_state_given.hpp"

using namespace db;
using namespace tests;
using namespace std::chrono_literals;

TEST_CASE("PoolState opens for the first waiter and lends what was opened", "[db][pool]") {
    PoolState pool(small_pool());
    Actions actions;
    CHECK_FALSE(pool.take(start));
    const auto ticket = pool.wait(start, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::open});
    CHECK(pool.stats().checked_out == 1);
    CHECK(pool.stats().waiting == 1);
    Actions lends;
    pool.opened(actions[0].slot, start, lends);
    REQUIRE(kinds(lends) == std::vector{Kind::lend});
    CHECK(lends[0].ticket == ticket);
}

TEST_CASE("PoolState reuses the connection returned last", "[db][pool]") {
    PoolState pool = warm(small_pool(), 2);
    const auto first = pool.take(start);
    const auto second = pool.take(start);
    Actions actions;
    pool.returned(*first, Condition::clean, start, actions);
    pool.returned(*second, Condition::clean, start, actions);
    CHECK(pool.take(start) == second);
    CHECK(actions.empty());
}

TEST_CASE("PoolState counts overflow from pool_size up, and closes it on return", "[db][pool]") {
    PoolState pool(small_pool());
    Actions actions;
    for (int i = 0; i < 4; ++i) pool.wait(start, actions);
    REQUIRE(actions.size() == 3);  // size 2 + overflow 1
    const PoolStats stats = pool.stats();
    CHECK(stats.checked_in == 0);
    CHECK(stats.checked_out == 3);
    CHECK(stats.overflow == 1);
    CHECK(stats.waiting == 4);
    Actions rest;
    for (const auto& action : actions) pool.opened(action.slot, start, rest);
    pool.returned(rest[0].slot, Condition::clean, start, rest);  // serves the fourth
    CHECK(rest.back().kind == Kind::lend);
    Actions last;
    pool.returned(rest[1].slot, Condition::clean, start, last);
    REQUIRE(kinds(last) == std::vector{Kind::close});
    CHECK(last[0].reason == CloseReason::overflow);
    CHECK(pool.stats().overflow == 0);
}

TEST_CASE("PoolState tests a connection that was idle too long before it lends it", "[db][pool]") {
    PoolState pool = warm(small_pool(), 1);
    CHECK_FALSE(pool.take(start + 6s));
    Actions actions;
    pool.wait(start + 6s, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::test});
    Actions lends;
    pool.tested(actions[0].slot, Condition::clean, start + 6s, lends);
    CHECK(kinds(lends) == std::vector{Kind::lend});
}

TEST_CASE("PoolState lets nobody overtake who waits for a suspicious connection", "[db][pool]") {
    PoolState pool = warm(small_pool(), 2);
    const auto dead = pool.take(start);
    Actions actions;
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
    Actions actions;
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
    Actions actions;
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

TEST_CASE("PoolState counts how long callers waited and sessions were lent, in one snapshot", "[db][pool]") {
    PoolState pool = warm(small_pool(), 1);
    const PoolStats before = pool.stats();
    const auto at_once = pool.take(start + 1s);
    CHECK(pool.stats().waits.count() == before.waits.count() + 1);
    CHECK(pool.stats().waits.sum() == before.waits.sum());
    CHECK(pool.lent_since(*at_once) == start + 1s);
    Actions actions;
    for (int i = 0; i < 3; ++i) pool.wait(start + 2s, actions);
    CHECK(pool.stats().holds.count() == before.holds.count());
    pool.returned(*at_once, Condition::clean, start + 4s, actions);
    const PoolStats after = pool.stats();
    CHECK(after.holds.sum() == before.holds.sum() + 3s);
    CHECK(after.waits.sum() == before.waits.sum() + 2s);
    CHECK(after.waits.count() == after.checkouts);
    CHECK(after.holds.count() + 1 == after.checkouts);
    CHECK(pool.lent_since(*at_once) == start + 4s);
}

TEST_CASE("PoolState does not count a checkout that it took back", "[db][pool]") {
    PoolState pool = warm(small_pool(), 1);
    const PoolStats before = pool.stats();
    Actions actions;
    pool.found_suspicious(*pool.take(start), actions);
    CHECK(pool.stats().waits.count() == before.waits.count());
    CHECK(pool.stats().checkouts == before.checkouts);
    pool.check_invariants();
}

TEST_CASE("PoolState keeps the place of a connection that leaves until it has left", "[db][pool]") {
    PoolState pool = warm(small_pool(), 0);
    Actions actions;
    for (int i = 0; i < 4; ++i) pool.wait(start, actions);
    for (std::size_t i = 0; i < 3; ++i) pool.opened(actions[i].slot, start, actions);
    const auto slot = actions[0].slot;
    Actions leave;
    pool.returned(slot, Condition::leaving, start, leave);
    REQUIRE(kinds(leave) == std::vector{Kind::leave});
    CHECK(pool.stats().checked_out == 3);
    CHECK(pool.stats().waiting == 1);
    pool.check_invariants();
    Actions open;
    pool.left(slot, start, open);
    CHECK(kinds(open) == std::vector{Kind::close, Kind::open});
    CHECK(pool.stats().closed[static_cast<std::size_t>(CloseReason::dirty)] == 1);
    pool.check_invariants();
}

TEST_CASE("PoolState that is shut down waits for no connection that leaves by itself", "[db][pool]") {
    PoolState pool = warm(small_pool(), 1);
    Actions actions;
    const auto slot = pool.take(start);
    pool.shut_down(actions);
    CHECK_FALSE(pool.is_empty());
    pool.returned(*slot, Condition::leaving, start, actions);
    CHECK(pool.is_empty());
}

TEST_CASE("PoolState closes a spent connection and trusts the others", "[db][pool]") {
    PoolState pool = warm(small_pool(), 2);
    Actions actions;
    const auto lent = pool.take(start + 1s);
    pool.returned(*lent, Condition::spent, start + 1s, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::close});
    CHECK(actions[0].reason == CloseReason::dirty);
    CHECK(pool.stats().invalid == 0);
    CHECK(pool.take(start + 1s));
}

TEST_CASE("PoolState resets a session that came back inside a transaction before it lends it", "[db][pool]") {
    PoolState pool = warm(small_pool(), 1);
    Actions actions;
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

TEST_CASE("PoolState refuses everything once it is shut down", "[db][pool]") {
    PoolState pool = warm(small_pool(), 2);
    const auto lent = pool.take(start);
    Actions actions;
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

#include "db/pool_state.hpp"

#include "tests/support/catch.hpp"

#include <map>
#include <random>
#include <set>

using namespace db;
using namespace std::chrono_literals;
using Kind = PoolState::Action::Kind;

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

// Like REQUIRE, without its cost: the random test makes millions.
void expect(bool holds) {
    if (!holds) FAIL("an expectation of the random test does not hold");
}

const PoolState::Time start{1h};

// A pool with `n` connections, all free but those beyond pool_size.
PoolState warm(const PoolSettings& settings, int n) {
    PoolState pool(settings);
    PoolState::Actions actions;
    for (int i = 0; i < n; ++i) pool.wait(start, actions);
    const auto opens = actions;
    std::vector<PoolState::Slot> slots;
    for (const auto& action : opens) {
        PoolState::Actions lends;
        pool.opened(action.slot, start, lends);
        slots.push_back(action.slot);
    }
    for (const auto slot : slots) {
        PoolState::Actions rest;
        pool.returned(slot, PoolState::Condition::clean, start, rest);
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
    pool.returned(*first, PoolState::Condition::clean, start, actions);
    pool.returned(*second, PoolState::Condition::clean, start, actions);
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
    pool.returned(rest[0].slot, PoolState::Condition::clean, start, rest);  // serves the fourth
    CHECK(rest.back().kind == Kind::lend);
    PoolState::Actions last;
    pool.returned(rest[1].slot, PoolState::Condition::clean, start, last);
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
    pool.tested(actions[0].slot, true, start + 6s, lends);
    CHECK(kinds(lends) == std::vector{Kind::lend});
}

TEST_CASE("PoolState replaces a connection past its age", "[db][pool]") {
    PoolSettings settings = small_pool();
    settings.pool_recycle = 10s;
    settings.pre_ping_after = 1h;
    PoolState pool = warm(settings, 1);
    CHECK(pool.take(start + 8s));
    PoolState::Actions actions;
    pool.returned(0, PoolState::Condition::clean, start + 8s, actions);
    pool.wait(start + 11s, actions);
    REQUIRE(kinds(actions) == std::vector{Kind::close, Kind::open});
    CHECK(actions[0].reason == CloseReason::recycled);
}

TEST_CASE("PoolState suspects every older connection once one was found dead", "[db][pool]") {
    PoolState pool = warm(small_pool(), 2);
    PoolState::Actions actions;
    const auto lent = pool.take(start + 1s);
    pool.returned(*lent, PoolState::Condition::broken, start + 1s, actions);
    CHECK(kinds(actions) == std::vector{Kind::close});
    CHECK(pool.stats().invalid == 1);
    CHECK_FALSE(pool.take(start + 1s));
    actions.clear();
    pool.wait(start + 1s, actions);
    CHECK(kinds(actions) == std::vector{Kind::test});
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

TEST_CASE("PoolState keeps its invariants over a million random events", "[db][pool]") {
    std::mt19937_64 random(42);
    const auto pick = [&](const auto& set) {
        auto it = set.begin();
        std::advance(it, static_cast<std::ptrdiff_t>(random() % set.size()));
        return *it;
    };
    for (int round = 0; round < 200; ++round) {
        PoolSettings settings;
        settings.pool_size = static_cast<int>(random() % 5);
        settings.max_overflow =
            settings.pool_size == 0 ? 1 + static_cast<int>(random() % 4) : static_cast<int>(random() % 5);
        settings.connecting_limit = 1 + static_cast<int>(random() % 3);
        settings.pool_recycle = std::chrono::seconds(random() % 3 == 0 ? 0 : 20);
        settings.pool_pre_ping = random() % 2 == 0;
        PoolState pool(settings);
        std::set<PoolState::Slot> lent, opening, testing;
        std::set<PoolState::Ticket> waiting;
        std::uint64_t served = 0;
        auto now = start;
        bool down = false;
        const auto perform = [&](const PoolState::Actions& actions) {
            for (const auto& action : actions) {
                switch (action.kind) {
                    case Kind::lend:
                        expect(action.ticket == *waiting.begin());  // first in, first out
                        waiting.erase(action.ticket);
                        expect(lent.insert(action.slot).second);
                        ++served;
                        break;
                    case Kind::fail:
                        expect(waiting.erase(action.ticket) == 1);
                        break;
                    case Kind::open:
                        expect(opening.insert(action.slot).second);
                        break;
                    case Kind::test:
                    case Kind::reset:
                        expect(testing.insert(action.slot).second);
                        break;
                    case Kind::close:
                        expect(lent.count(action.slot) + opening.count(action.slot) == 0);
                        break;
                }
            }
        };
        for (int step = 0; step < 5'000; ++step) {
            now += std::chrono::milliseconds(random() % 500);
            PoolState::Actions actions;
            switch (random() % 12) {
                case 0:
                case 1:
                case 2:
                case 3:
                    if (const auto slot = pool.take(now)) {
                        if (random() % 10 == 0) {
                            pool.found_suspicious(*slot, actions);
                            expect(testing.insert(*slot).second);
                            actions.clear();
                        } else {
                            expect(lent.insert(*slot).second);
                            ++served;
                        }
                    } else {
                        const auto expected = waiting.empty() ? 0 : *waiting.rbegin();
                        const auto ticket = pool.wait(now, actions);
                        expect(ticket > expected);
                        waiting.insert(ticket);
                    }
                    break;
                case 4:
                case 5:
                case 6:
                    if (lent.empty()) break;
                    {
                        const auto slot = pick(lent);
                        lent.erase(slot);
                        const auto dice = random() % 10;
                        pool.returned(
                            slot,
                            dice == 0   ? PoolState::Condition::broken
                            : dice == 1 ? PoolState::Condition::dirty
                                        : PoolState::Condition::clean,
                            now,
                            actions
                        );
                    }
                    break;
                case 7:
                case 8:
                    if (opening.empty()) break;
                    {
                        const auto slot = pick(opening);
                        opening.erase(slot);
                        if (random() % 5 == 0) {
                            pool.open_failed(slot, now, actions);
                        } else {
                            pool.opened(slot, now, actions);
                        }
                    }
                    break;
                case 9:
                    if (testing.empty()) break;
                    {
                        const auto slot = pick(testing);
                        testing.erase(slot);
                        pool.tested(slot, random() % 4 != 0, now, actions);
                    }
                    break;
                case 10:
                    if (waiting.empty()) break;
                    {
                        const auto ticket = pick(waiting);
                        waiting.erase(ticket);
                        expect(pool.leave(ticket, random() % 2 == 0));
                    }
                    break;
                case 11:
                    if (step > 4'900 && !down) {
                        down = true;
                        pool.shut_down(actions);
                    }
                    break;
            }
            perform(actions);
            pool.check_invariants();  // throws the rule that is broken
            const PoolStats stats = pool.stats();
            expect(stats.checked_out == static_cast<int>(lent.size() + opening.size() + testing.size()));
            expect(stats.waiting == static_cast<int>(waiting.size()));
        }
        expect(served == pool.stats().checkouts);
    }
}

#include "worker/suspect_turn.hpp"

#include "tests/support/catch.hpp"

using namespace worker;
using namespace std::chrono_literals;

namespace {
const SuspectTurn::Time start{1h};
}  // namespace

TEST_CASE("a busy worker holds for a suspect that nobody idle takes", "[worker][suspects]") {
    SuspectTurn turn(2s);
    turn.looked(false, start);
    CHECK(turn.next_look() == start + 2s);
    turn.looked(true, start + 2s);
    CHECK_FALSE(turn.holds());  // an idle worker may take it
    turn.looked(true, start + 4s);
    REQUIRE(turn.holds());
    CHECK_FALSE(turn.next_look());
    CHECK(turn.limit() == start + 34s);
    turn.claimed(true, start + 5s);
    CHECK(turn.holds());
    CHECK_FALSE(turn.limit());  // it takes as long as it takes
    turn.end(start + 6s);
    CHECK_FALSE(turn.holds());

    // Another one that waits has its turn when the others have had four times as long as this one.
    CHECK(turn.next_look() == start + 14s);
    turn.looked(true, start + 14s);
    CHECK(turn.holds());
    turn.claimed(false, start + 14s);  // it was taken meanwhile
    CHECK_FALSE(turn.holds());
    turn.looked(false, start + 15s);
    turn.looked(true, start + 20s);
    CHECK_FALSE(turn.holds());
}

TEST_CASE("jobs that outlast a hold end it, and the next one may take longer", "[worker][suspects]") {
    SuspectTurn turn(2s);
    auto now = start;
    turn.looked(true, now);
    auto longest = 30s;
    for (int hold = 0; hold < 5; ++hold, longest *= 2) {
        now = std::max(*turn.next_look(), now + 2s);
        turn.looked(true, now);
        REQUIRE(turn.holds());
        CHECK(turn.limit() == now + longest);
        now = *turn.limit();
        turn.end(now);
        CHECK_FALSE(turn.holds());
        CHECK(turn.next_look() == now + 4 * longest);
        turn.looked(true, now + 4s);  // asked too early
        CHECK_FALSE(turn.holds());
    }
    now += 3h;
    turn.looked(true, now);
    CHECK(turn.limit() == now + longest);
    turn.claimed(true, now);
    turn.end(now);
    turn.looked(true, now);
    CHECK(turn.limit() == now + 30s);
}

TEST_CASE("whoever has been idle does not look for suspects at its first job", "[worker][suspects]") {
    SuspectTurn turn(2s);
    turn.worked(start);
    CHECK(turn.next_look() == start + 2s);
    turn.worked(start + 1s);
    CHECK(turn.next_look() == start + 2s);
    turn.worked(start + 10s);
    CHECK(turn.next_look() == start + 12s);
}

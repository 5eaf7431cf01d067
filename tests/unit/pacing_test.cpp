#include "worker/pacing.hpp"

#include "tests/support/catch.hpp"
#include "worker/config.hpp"

#include <set>

using namespace worker;
using namespace std::chrono_literals;

namespace {
const Pacing::Time now{1h};
constexpr PacingSettings settings{.slots = 10, .prefetch = 100, .poll = 1s, .linger = 5ms};
}  // namespace

TEST_CASE("Pacing looks at once when it starts, and then at the backoff's times", "[worker][pacing]") {
    Pacing pacing(settings);
    CHECK(pacing.due({}, now) == now);
    std::chrono::milliseconds expected = 2ms;
    for (int round = 0; round < 12; ++round) {
        pacing.asked();
        pacing.claimed(10, 0, now);
        CHECK(pacing.due({}, now) == now + expected);
        expected = std::min<std::chrono::milliseconds>(expected * 2, 1s);
    }
    pacing.wake();
    CHECK(pacing.due({}, now) == now);
    // A wake-up while the claim is on its way is not lost.
    pacing.asked();
    pacing.wake();
    pacing.claimed(10, 0, now);
    CHECK(pacing.due({}, now) == now);
}

TEST_CASE("Pacing looks rarely while notifications arrive, and at once when they cease", "[worker][pacing]") {
    Pacing pacing(settings);
    pacing.set_listening(true);
    for (int round = 0; round < 9; ++round) {
        pacing.asked();
        pacing.claimed(10, 0, now);
    }
    CHECK(pacing.due({}, now) == now + 512ms);
    pacing.claimed(10, 0, now);
    CHECK(pacing.due({}, now) == now + 10s);
    pacing.claimed(10, 0, now);
    CHECK(pacing.due({}, now) == now + 10s);
    pacing.set_listening(true);
    CHECK(pacing.due({}, now) == now + 10s);
    pacing.set_listening(false);
    CHECK(pacing.due({}, now) == now);
    pacing.asked();
    pacing.claimed(10, 0, now);
    CHECK(pacing.due({}, now) == now + 1s);
}

TEST_CASE(
    "Pacing polls at times of its own, so that a fleet started together does not look together", "[worker][pacing]"
) {
    WorkerConfig config;
    config.poll = 2s;
    std::set<std::chrono::milliseconds> polls, quiet_polls;
    for (int worker = 0; worker < 50; ++worker) {
        const PacingSettings varied = pacing_settings(config);
        CHECK(varied.slots == config.concurrency);
        CHECK(varied.prefetch == config.prefetch);
        CHECK(varied.linger == config.linger);
        CHECK(std::chrono::abs(varied.poll - 2s) <= 200ms);
        CHECK(std::chrono::abs(varied.quiet_poll - 20s) <= 2s);
        polls.insert(varied.poll);
        quiet_polls.insert(varied.quiet_poll);
    }
    CHECK(polls.size() > 10);
    CHECK(quiet_polls.size() > 10);
}

TEST_CASE("Pacing asks for the free slots, and more when jobs start fast", "[worker][pacing]") {
    Pacing pacing(settings);
    CHECK(pacing.wanted({}, now + 200ms) == 10);
    CHECK(pacing.wanted({.running = 10}, now + 200ms) == 0);
    CHECK(pacing.wanted({.running = 4, .unstarted = 5, .startable = 5}, now + 200ms) == 1);
    pacing.started(0, now);
    pacing.started(1'000, now + 100ms);  // 10,000 a second: 500 in the next 50 ms, more than prefetch
    pacing.started(1'000, now + 200ms);
    CHECK(pacing.wanted({.running = 10}, now + 200ms) == 25);
    CHECK(pacing.wanted({.running = 10, .unstarted = 100, .startable = 0}, now + 200ms) == 0);  // limits hold them back
    CHECK(pacing.wanted({.claiming = false}, now + 200ms) == 0);
    CHECK(pacing.wanted({.running = 9, .bytes = 32 << 20}, now + 200ms) == 1);  // large args: for the free slots alone
    CHECK(pacing.wanted({.running = 10}, now + 10s) == 0);                      // measured too long ago
}

TEST_CASE("Pacing believes in a burst as soon as each slot has started four jobs", "[worker][pacing]") {
    Pacing pacing({.slots = 10, .prefetch = 4'000});
    pacing.started(10, now);  // after a pause: the slots are filled
    pacing.started(39, now + 2ms);
    CHECK(pacing.wanted({.running = 10}, now + 2ms) == 0);  // they may be long jobs of which some were short
    pacing.started(1, now + 2ms);
    CHECK(pacing.wanted({.running = 10}, now + 2ms) == 500);  // 40 in 2 ms, and half of that is believed
    pacing.started(40, now + 2'500us);
    CHECK(pacing.wanted({.running = 10}, now + 2'500us) == 500);  // too short to be measured
    pacing.started(40, now + 4ms);
    CHECK(pacing.wanted({.running = 10}, now + 4ms) == 1'000);  // capped: a quarter of prefetch
}

TEST_CASE("Pacing measures a steady rate over 50 ms", "[worker][pacing]") {
    Pacing pacing({.slots = 10, .prefetch = 4'000});
    pacing.started(0, now - 1s);
    pacing.started(10'000, now);
    pacing.started(80, now + 5ms);
    CHECK(pacing.wanted({.running = 10}, now + 5ms) == 500);  // less than twice the rate is no burst
}

TEST_CASE("Pacing claims less and less while what finished cannot be written", "[worker][pacing]") {
    const Pacing pacing({.slots = 10, .prefetch = 100});
    CHECK(pacing.wanted({.outcomes = 100}, now) == 10);
    CHECK(pacing.wanted({.outcomes = 104}, now) == 6);
    CHECK(pacing.wanted({.outcomes = 1'000}, now) == 0);
    // What the slots have just ended goes out with the claim that fills them again.
    const Pacing without_prefetch({.slots = 10, .prefetch = 0});
    CHECK(without_prefetch.wanted({.outcomes = 10}, now) == 10);
    CHECK(without_prefetch.wanted({.outcomes = 14}, now) == 6);
}

TEST_CASE("Pacing writes outcomes at once when nothing else is to start, else after the linger", "[worker][pacing]") {
    Pacing pacing(settings);
    pacing.asked();
    pacing.claimed(10, 0, now);
    CHECK(pacing.due({.running = 1, .outcomes = 1, .outcomes_since = now - 1ms}, now) == now);
    Load busy{.running = 10, .unstarted = 50, .startable = 50, .outcomes = 3, .outcomes_since = now - 1ms};
    CHECK(pacing.due(busy, now) == now + 4ms);
    CHECK(pacing.due({.running = 10}, now) == std::nullopt);
}

TEST_CASE(
    "Pacing lets rows that are partly done linger while there is other work, or a round on its way brings more",
    "[worker][pacing]"
) {
    struct Case {
        const char* rule;
        Load load;
        bool hungry, lingers;
    };
    for (const Case& c : std::vector<Case>{
             {"nothing to do", {.running = 1, .outcomes = 1}, false, false},
             {"other jobs wait for a slot", {.running = 1, .unstarted = 1, .startable = 1}, false, true},
             {"the same, while claims come back short", {.running = 1, .unstarted = 1, .startable = 1}, true, true},
             {"those that wait may not start", {.running = 1, .unstarted = 5, .startable = 0}, false, false},
             {"a round on its way brings more", {.running = 1, .rounds = 1}, false, true},
             {"it will bring little", {.running = 1, .rounds = 1}, true, false},
         }) {
        INFO(c.rule);
        Pacing pacing(settings);
        pacing.claimed(10, c.hungry ? 3 : 10, now);
        CHECK(pacing.may_linger(c.load) == c.lingers);
    }
}

TEST_CASE("Pacing refills before the line runs dry while claims come back full", "[worker][pacing]") {
    Pacing pacing(settings);
    pacing.asked();
    pacing.claimed(10, 10, now);
    CHECK_FALSE(pacing.is_hungry());
    CHECK(pacing.due({.running = 9}, now) == now);
    pacing.claimed(10, 9, now);
    CHECK(pacing.is_hungry());
}

TEST_CASE("Pacing does not top up a line that is more than half full", "[worker][pacing]") {
    Pacing pacing({.slots = 10, .prefetch = 4'000});
    pacing.started(0, now - 1s);
    pacing.started(4'000, now);  // in a second: 200 jobs in the next 50 ms
    pacing.asked();
    pacing.claimed(10, 10, now);
    CHECK(pacing.asks({.running = 10, .unstarted = 101, .startable = 101}, now) == 0);
    CHECK(pacing.asks({.running = 10, .unstarted = 100, .startable = 100}, now) == 100);
    CHECK(pacing.asks({.running = 9}, now) == 201);
    pacing.wake();
    CHECK(pacing.asks({.running = 10, .unstarted = 150, .startable = 150}, now) == 50);
    // Much is asked for whatever the line holds: a second round is on its way.
    pacing.asked();
    pacing.started(50'000, now + 1s);
    CHECK(pacing.asks({.running = 10, .unstarted = 800, .startable = 800}, now + 1s) == 1'000);
}

TEST_CASE("Pacing lets rows that grow old one after the other go together", "[worker][pacing]") {
    Pacing pacing(settings);
    pacing.asked();
    pacing.claimed(10, 10, now);
    pacing.sent(now);
    const Load load{.running = 10, .unstarted = 90, .startable = 90, .outcomes = 1, .outcomes_since = now - 4ms};
    CHECK(pacing.due(load, now) == now + 2'500us);
    CHECK(pacing.due({.running = 9, .outcomes = 1, .outcomes_since = now}, now) == now);
}

TEST_CASE(
    "Pacing sends a second round beside the first only for much work, while claims come back full", "[worker][pacing]"
) {
    Pacing pacing({.slots = 10, .prefetch = 4'000, .poll = 1s, .linger = 5ms});
    pacing.started(0, now - 200ms);
    pacing.started(2'000, now - 100ms);
    pacing.started(3'000, now);  // about 25,000 a second
    CHECK(pacing.wanted({.running = 10}, now) >= 1'000);
    // What a round on its way asks for is not asked for twice.
    CHECK(pacing.wanted({.running = 10, .rounds = 1, .asked = 4'000}, now) == 0);
    CHECK(pacing.due({.running = 10, .rounds = 1, .asked = 100}, now) == now);
    CHECK(
        pacing.due(
            {.running = 10, .outcomes = 900, .whole = 499, .outcomes_since = now, .rounds = 1, .asked = 4'000}, now
        ) == std::nullopt
    );
    CHECK(pacing.due({.running = 10, .outcomes = 500, .whole = 500, .rounds = 1, .asked = 4'000}, now) == now);
    CHECK(pacing.due({.running = 10, .outcomes = 5'000, .outcomes_since = now, .rounds = 2}, now) == std::nullopt);
    pacing.asked();
    pacing.claimed(100, 50, now);
    CHECK(pacing.due({.running = 10, .outcomes = 5'000, .outcomes_since = now, .rounds = 1}, now) == std::nullopt);
    // The faster jobs run, the more of them are worth a round: those of 4 ms.
    pacing.claimed(100, 100, now);
    for (int i = 1; i <= 10; ++i) pacing.started(50'000, now + i * 100ms);
    const auto later = now + 1s;
    CHECK(
        pacing.due({.running = 10, .outcomes = 1'900, .whole = 1'900, .rounds = 1, .asked = 4'000}, later) ==
        std::nullopt
    );
    CHECK(pacing.due({.running = 10, .outcomes = 2'000, .whole = 2'000, .rounds = 1, .asked = 4'000}, later) == later);
}

#include "worker/watchman.hpp"

#include "tests/support/catch.hpp"
#include "worker/stopping.hpp"

using namespace worker;
using namespace std::chrono_literals;

namespace {

std::vector<queue::SeenBeat> fleet(const std::vector<std::int64_t>& beats) {
    std::vector<queue::SeenBeat> workers;
    for (const std::int64_t beat : beats) {
        workers.push_back({queue::WorkerId{static_cast<std::int64_t>(workers.size()) + 1}, beat});
    }
    return workers;
}

const Watchman::Time start{1h};

}  // namespace

TEST_CASE("Watchman finds a worker dead whose beat did not move for lease_timeout", "[worker][watchman]") {
    Watchman watchman(30s, 15s);
    std::vector<queue::SeenBeat> dead;
    for (int second = 0; second < 30; ++second) {
        CHECK(watchman.observe(fleet({5, second}), start + std::chrono::seconds(second)).empty());
    }
    dead = watchman.observe(fleet({5, 30}), start + 30s);
    REQUIRE(dead.size() == 1);
    CHECK(dead[0].worker == queue::WorkerId{1});
    CHECK(dead[0].beat == 5);
}

TEST_CASE("Watchman blames nobody for a time without reads", "[worker][watchman]") {
    Watchman watchman(30s, 15s);
    watchman.observe(fleet({5}), start);
    CHECK(watchman.observe(fleet({5}), start + 10min).empty());  // the database was away
    CHECK(watchman.observe(fleet({5}), start + 10min + 15s).empty());
    CHECK(watchman.observe(fleet({5}), start + 10min + 29s).empty());
    CHECK(watchman.observe(fleet({5}), start + 10min + 30s).size() == 1);
}

TEST_CASE("Stopping goes from soft to hard to closing, by time or by signals", "[worker][stopping]") {
    Stopping stopping({.soft = 20s, .hard = 5s});
    CHECK_FALSE(stopping.has_begun());
    stopping.tick(start);
    CHECK_FALSE(stopping.has_begun());
    stopping.signal(start);
    CHECK(stopping.phase() == Engine::Phase::draining);
    CHECK(stopping.deadline() == start + 20s);
    stopping.tick(start + 19s);
    CHECK(stopping.phase() == Engine::Phase::draining);
    stopping.tick(start + 20s);
    CHECK(stopping.phase() == Engine::Phase::interrupt);
    CHECK(stopping.deadline() == start + 25s);
    Stopping without_signals = stopping;
    without_signals.tick(start + 25s);
    CHECK(without_signals.phase() == Engine::Phase::closing);
    stopping.signal(start + 21s);
    CHECK(stopping.phase() == Engine::Phase::closing);
    CHECK_FALSE(stopping.deadline());
    stopping.signal(start + 22s);
    CHECK(stopping.phase() == Engine::Phase::closing);
}

// The pool's state machine under random sequences of events, until the time is over: `tests/run sequences` sets how
// long (TASK_WORKER_SEQUENCES_SECONDS) and from which seed on (TASK_WORKER_SEQUENCES_SEED). Sequence n has the seed
// n higher, so that the one that failed is run again alone.
#include "tests/support/catch.hpp"
#include "tests/support/number_from.hpp"
#include "tests/support/random_pool.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>

TEST_CASE("PoolState keeps its promises over random sequences of events", "[db][pool][sequences]") {
    constexpr int events = 250;
    const std::uint64_t first = tests::number_from("TASK_WORKER_SEQUENCES_SEED", 1);
    const std::chrono::seconds length(tests::number_from("TASK_WORKER_SEQUENCES_SECONDS", 1));
    const auto end = std::chrono::steady_clock::now() + length;
    std::uint64_t seed = first;
    do {
        INFO("seed " << seed);
        tests::run_random_pool(seed++, events);
    } while (std::chrono::steady_clock::now() < end);
    std::printf(
        "%llu sequences of %d events, seeds %llu to %llu\n",
        static_cast<unsigned long long>(seed - first),
        events,
        static_cast<unsigned long long>(first),
        static_cast<unsigned long long>(seed - 1)
    );
}

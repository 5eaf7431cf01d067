// A few of the sequences that `tests/run sequences` runs by the million.
#include "tests/support/catch.hpp"
#include "tests/support/random_pool.hpp"

TEST_CASE("PoolState keeps its promises over random events", "[db][pool]") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        INFO("seed " << seed);
        tests::run_random_pool(seed, 1'000);
    }
}

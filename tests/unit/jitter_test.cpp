#include "worker/jitter.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <chrono>

using namespace std::chrono_literals;

TEST_CASE("a pause is longer or shorter by a tenth at most, now more, now less", "[jitter]") {
    auto shortest = 10'000ms;
    auto longest = 0ms;
    for (int i = 0; i < 1'000; ++i) {
        const auto pause = worker::jittered(1'000ms);
        shortest = std::min(shortest, pause);
        longest = std::max(longest, pause);
    }
    CHECK(shortest >= 900ms);
    CHECK(shortest < 920ms);
    CHECK(longest > 1'080ms);
    CHECK(longest <= 1'100ms);
}

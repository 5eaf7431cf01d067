#include "worker/abandoned.hpp"

#include "tests/support/catch.hpp"

using namespace worker;
using namespace std::chrono_literals;

TEST_CASE("Abandoned repeats each claim's release until it cannot arrive any more", "[worker][abandoned]") {
    const Abandoned::Time now{1h};
    Abandoned abandoned(70s);
    CHECK_FALSE(abandoned.due());
    CHECK_FALSE(abandoned.is_pending());
    abandoned.add(queue::ClaimNumber{3}, now);
    CHECK(abandoned.due() == now);
    CHECK(abandoned.is_pending());
    abandoned.released(now);
    CHECK_FALSE(abandoned.is_pending());  // a stopping worker need not wait longer
    CHECK(abandoned.due() == now + 1s);
    abandoned.add(queue::ClaimNumber{4}, now + 60s);
    CHECK(abandoned.claims() == std::vector{queue::ClaimNumber{3}, queue::ClaimNumber{4}});
    abandoned.released(now + 70s);
    CHECK(abandoned.claims() == std::vector{queue::ClaimNumber{4}});
    abandoned.released(now + 130s);
    CHECK_FALSE(abandoned.due());
}

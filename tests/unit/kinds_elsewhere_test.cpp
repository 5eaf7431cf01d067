#include "worker/kinds_elsewhere.hpp"

#include "tests/support/catch.hpp"

using namespace worker;
using namespace std::chrono_literals;

TEST_CASE("KindsElsewhere remembers for a while what others have, and when to tell people", "[worker][kinds]") {
    KindsElsewhere kinds;
    const KindsElsewhere::Time start{1h};
    const queue::KindInQueue here{queue::KindId{1}, queue::QueueId{1}};
    const queue::KindInQueue there{queue::KindId{1}, queue::QueueId{2}};
    CHECK_FALSE(kinds.known(here, start));
    CHECK(kinds.learn(here, false, start));
    CHECK(kinds.known(here, start + 5s) == false);
    CHECK_FALSE(kinds.known(here, start + 6s));
    CHECK_FALSE(kinds.known(there, start));
    CHECK_FALSE(kinds.learn(here, false, start + 59s));
    CHECK(kinds.learn(here, false, start + 60s));  // nobody has it still
    CHECK(kinds.learn(here, true, start + 61s));
    CHECK(kinds.known(here, start + 61s) == true);
    CHECK_FALSE(kinds.learn(here, true, start + 10min));
    CHECK(kinds.learn(here, false, start + 10min));
}

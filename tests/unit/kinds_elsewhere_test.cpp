#include "worker/kinds_elsewhere.hpp"

#include "tests/support/catch.hpp"

#include <string>

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

TEST_CASE(
    "KindsElsewhere leaves to others what they have in every queue, for as long as that is known", "[worker][kinds]"
) {
    KindsElsewhere kinds;
    const KindsElsewhere::Time start{1h};
    const auto at = [](int kind, std::int16_t queue) {
        return queue::KindInQueue{queue::KindId{kind}, queue::QueueId{queue}};
    };
    const auto left = [&](KindsElsewhere::Time now) {
        std::string text;
        for (const queue::KindId kind : kinds.left_to_others(now)) text += std::to_string(static_cast<int>(kind)) + " ";
        return text;
    };
    CHECK(left(start) == "");
    kinds.learn(at(1, 1), true, start);
    kinds.learn(at(2, 1), true, start);
    kinds.learn(at(2, 2), false, start);
    kinds.learn(at(2, 3), true, start);
    kinds.learn(at(3, 1), false, start);
    kinds.learn(at(3, 2), true, start);
    kinds.learn(at(4, 1), true, start);
    kinds.learn(at(4, 2), true, start + 3s);
    CHECK(left(start) == "1 4 ");
    CHECK(left(start + 5s) == "1 4 ");
    CHECK(left(start + 6s) == "4 ");
    kinds.learn(at(2, 1), true, start + 6s);  // the other queue's answer is too old to count
    CHECK(left(start + 6s) == "2 4 ");
    CHECK(left(start + 12s) == "");
}

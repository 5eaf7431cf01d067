#include "jobs/outcome_at.hpp"

#include "tests/support/catch.hpp"

using namespace jobs;
using namespace std::chrono_literals;

TEST_CASE("an outcome at a time is one after what is left until then", "[jobs]") {
    const auto now = std::chrono::system_clock::time_point(1'000'000s);
    CHECK(retry_at(now + 90s, "the shop is closed", now).after == 90s);
    CHECK(retry_at(now + 90s, "the shop is closed", now).error == "the shop is closed");
    CHECK(retry_at(now - 1h, "", now).after == 0s);
    CHECK(snooze_until(now + 1500us, "soon", now).after == 2ms);  // not before
    CHECK(snooze_until(now + 1500us, "soon", now).reason == "soon");
    CHECK(snooze_until(now - 1h, "", now).after == 0s);
}

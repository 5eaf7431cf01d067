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

TEST_CASE("Abandoned waits as long as the server may work on, ever more seldom", "[worker][abandoned]") {
    db::ConnectionSettings settings;
    settings.statement_timeout = 30s;
    CHECK(Abandoned::patience(settings) == 70s);
    settings.statement_timeout = 0s;  // the server ends nothing by itself
    CHECK(Abandoned::patience(settings) == 24h);
    const Abandoned::Time now{1h};
    Abandoned abandoned(Abandoned::patience(settings));
    abandoned.add(queue::ClaimNumber{3}, now);
    abandoned.released(now + 59s);
    CHECK(abandoned.due() == now + 60s);
    abandoned.released(now + 10min);
    CHECK(abandoned.due() == now + 10min + 10s);
    abandoned.released(now + 23h);
    CHECK(abandoned.due() == now + 23h + 1min);
    CHECK(abandoned.claims().size() == 1);
    abandoned.add(queue::ClaimNumber{4}, now + 23h);
    CHECK(abandoned.due() == now + 23h);
    abandoned.released(now + 23h);
    CHECK(abandoned.due() == now + 23h + 1s);
    abandoned.released(now + 24h);
    CHECK(abandoned.claims() == std::vector{queue::ClaimNumber{4}});
}

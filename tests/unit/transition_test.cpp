#include "queue/transition.hpp"

#include "tests/support/catch.hpp"

using namespace queue;
using namespace std::chrono_literals;

TEST_CASE("after_failure discards after the last allowed attempt", "[queue][transition]") {
    CHECK(after_failure(1, 2) == Leave::retry);
    CHECK(after_failure(2, 2) == Leave::discard);
    CHECK(after_failure(3, 2) == Leave::discard);
    CHECK(after_failure(1, 1) == Leave::discard);
}

TEST_CASE("backoff_delay grows to its cap, with jitter either way", "[queue][transition]") {
    struct Case {
        std::string rule;
        Backoff backoff;
        int attempt;
        double random;
        std::chrono::milliseconds delay;
    };
    for (const Case& c : std::vector<Case>{
             {"the first delay", {}, 1, 0.5, 1s},
             {"doubles", {}, 4, 0.5, 8s},
             {"ends at the cap", {}, 40, 0.5, 1h},
             {"stays finite for ever", {}, 100'000, 0.5, 1h},
             {"lowest jitter", {}, 1, 0.0, 900ms},
             {"highest jitter", {}, 1, 1.0, 1'100ms},
             {"jitter above the cap", {}, 40, 1.0, 66min},
             {"no growth", {.first = 5s, .factor = 1}, 9, 0.5, 5s},
             {"never negative", {.jitter = 3}, 1, 0.0, 0s},
             {"an attempt before the first counts as the first", {}, 0, 0.5, 1s},
             {"polynomial: the first", {.policy = BackoffPolicy::polynomial}, 1, 0.5, 1s},
             {"polynomial: the third", {.policy = BackoffPolicy::polynomial}, 3, 0.5, 9s},
             {"polynomial: its power", {.policy = BackoffPolicy::polynomial, .power = 3}, 3, 0.5, 27s},
             {"polynomial: the cap", {.policy = BackoffPolicy::polynomial, .power = 10}, 100'000, 0.5, 1h},
             {"fixed: stays", {.policy = BackoffPolicy::fixed, .first = 7s}, 100'000, 0.5, 7s},
             {"fixed: jitter", {.policy = BackoffPolicy::fixed}, 3, 0.0, 900ms},
             {"list: the first", {.policy = BackoffPolicy::list, .delays = {3s, 1s, 5s}}, 1, 0.5, 3s},
             {"list: the second", {.policy = BackoffPolicy::list, .delays = {3s, 1s, 5s}}, 2, 0.5, 1s},
             {"list: the last stays", {.policy = BackoffPolicy::list, .delays = {3s, 1s, 5s}}, 100'000, 0.5, 5s},
             {"list: at once", {.policy = BackoffPolicy::list, .delays = {0s}}, 1, 1.0, 0s},
             {"list: the cap", {.policy = BackoffPolicy::list, .cap = 2s, .delays = {3s}}, 1, 0.5, 2s},
             {"list: empty", {.policy = BackoffPolicy::list}, 3, 0.5, 1s},
         }) {
        INFO(c.rule);
        CHECK(backoff_delay(c.backoff, c.attempt, c.random) == c.delay);
    }
}

TEST_CASE("state_name and state_named are each other's inverse for what people see", "[queue][transition]") {
    for (int number = 0; number <= 7; ++number) {
        const auto state = static_cast<State>(number);
        if (state == State::suspect) continue;
        CHECK(state_named(state_name(state)) == state);
    }
    CHECK(state_name(State::suspect) == "available");
    CHECK_FALSE(state_named("suspect"));
    CHECK(is_finished(State::completed));
    CHECK_FALSE(is_finished(State::suspect));
}

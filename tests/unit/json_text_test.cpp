#include "queue/json_text.hpp"

#include "tests/support/catch.hpp"

#include <string>

TEST_CASE("find_json_problem accepts one JSON value and nothing else", "[queue][json]") {
    for (const std::string good :
         {"{}", " [1, 2.5e300, null] ", "\"a\\u0000\\\"\\\\b\"", "17", "true", "{\"a\": {\"b\": [\"\xc3\xa9\"]}}"}) {
        INFO(good);
        CHECK_FALSE(queue::find_json_problem(good));
    }
    for (const std::string bad :
         {"", " ", "{", "{} {}", "1,2", "[1],[2]", "{\"a\"}", "nul", "'a'", "\"\xff\"", "\"a\nb\"", "NaN"}) {
        INFO(bad);
        CHECK(queue::find_json_problem(bad));
    }
    CHECK_THAT(*queue::find_json_problem("[1, x]"), Catch::Contains("at byte 5"));
    CHECK_THAT(*queue::find_json_problem("1,2"), Catch::Contains("something follows at byte 2"));
}

TEST_CASE("find_json_problem accepts 500 levels and refuses more, without recursion", "[queue][json]") {
    const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
    CHECK_FALSE(queue::find_json_problem(nested(500)));
    CHECK(queue::find_json_problem(nested(501)));
    CHECK(queue::find_json_problem(nested(1'000'000)));
}

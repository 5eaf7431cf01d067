#include "jobs/http_answer.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/outcome_text.hpp"

#include <string>

using namespace jobs;
using tests::outcome_text;

namespace {
constexpr std::time_t now = 1'000'000'000;  // 2001-09-09 01:46:40 UTC
}

TEST_CASE("an answer's status decides the outcome", "[jobs][http]") {
    struct Row {
        std::string rule;
        HttpAnswer answer;
        std::string expected;
    };
    const std::string not_understood = ", its Retry-After cannot be understood: ";
    const auto row = GENERATE_COPY(values<Row>({
        {"JSON", {.status = 200, .body = R"( {"a": [1, null]} )"}, R"(complete {"a":[1,null]})"},
        {"text", {.status = 201, .body = "fine\n"}, R"(complete "fine\n")"},
        {"blanks", {.status = 200, .body = " \r\n"}, "complete"},
        {"nothing", {.status = 204}, "complete"},
        {"null", {.status = 200, .body = "null"}, "complete null"},
        {"no UTF-8", {.status = 200, .body = "\"\xFF\""}, "complete \"\xEF\xBF\xBD\""},
        {"too large a number", {.status = 200, .body = "[1e999]"}, "retry: the answer holds a number that is too large"
        },
        {"over the limit",
         {.status = 200, .body = std::string(1001, '1')},
         "retry: the answer holds a number that is too large"},
        {"text over the limit",
         {.status = 200, .body = std::string(999, 'x')},
         "discard: the answer of 1001 bytes is over the limit of 1000 bytes"},
        {"text within", {.status = 200, .body = std::string(998, 'x')}, "complete \"" + std::string(998, 'x') + "\""},
        {"text that grows as JSON",
         {.status = 200, .body = std::string(200, '\x1F')},
         "discard: the answer of 1202 bytes is over the limit of 1000 bytes"},
        {"cut", {.status = 200, .body = "[1", .is_cut = true}, "discard: the answer is over the limit of 1000 bytes"},
        {"deep", {.status = 200, .body = std::string(400, '[')}, "complete \"" + std::string(400, '[') + "\""},

        {"gone", {.status = 410, .reason = "Gone", .body = "no such user"}, "discard: HTTP 410 Gone\nno such user"},
        {"busy", {.status = 429, .reason = "Slow", .retry_after = "7"}, "snooze 7000 ms: HTTP 429 Slow"},
        {"away", {.status = 503, .reason = "Away", .retry_after = "0"}, "snooze 0 ms: HTTP 503 Away"},
        {"until a date", {.status = 503, .retry_after = "Sun, 09 Sep 2001 01:47:00 GMT"}, "snooze 20000 ms: HTTP 503"},
        {"until a date that is past",
         {.status = 503, .retry_after = "Sun, 09 Sep 2001 01:46:00 GMT"},
         "snooze 0 ms: HTTP 503"},
        {"not for how long", {.status = 429}, "retry: HTTP 429"},
        {"for ever", {.status = 503, .retry_after = "99999999"}, "retry: HTTP 503" + not_understood + "\"99999999\""},
        {"into the past", {.status = 503, .retry_after = "-1"}, "retry: HTTP 503" + not_understood + "\"-1\""},
        {"half a number",
         {.status = 503, .retry_after = "30 seconds"},
         "retry: HTTP 503" + not_understood + "\"30 seconds\""},
        {"beyond numbers",
         {.status = 503, .retry_after = "99999999999999999999"},
         "retry: HTTP 503" + not_understood + "\"99999999999999999999\""},
        {"empty", {.status = 503, .retry_after = ""}, "retry: HTTP 503" + not_understood + "\"\""},
        {"no letters",
         {.status = 503, .retry_after = "\x01\xFF"},
         "retry: HTTP 503" + not_understood + "\"\x01\xEF\xBF\xBD\""},

        {"moved",
         {.status = 301, .reason = "Moved", .location = "http://other/"},
         "retry: HTTP 301 Moved: a redirect to \"http://other/\", not followed"},
        {"broken",
         {.status = 500, .reason = "Internal", .body = "boom\xFF"},
         "retry: HTTP 500 Internal\nboom\xEF\xBF\xBD"},
        {"no reason", {.status = 404}, "retry: HTTP 404"},
        {"no status at all", {}, "retry: HTTP 0"},
    }));
    INFO(row.rule);
    CHECK(outcome_text(outcome_of(row.answer, 1000, now)) == row.expected);
}

TEST_CASE("an error shows no more of the body than fits", "[jobs][http]") {
    const HttpAnswer answer{.status = 500, .body = std::string(5000, 'x')};
    CHECK(outcome_text(outcome_of(answer, 1000, now)) == "retry: HTTP 500\n" + std::string(2048, 'x'));
    CHECK(body_limit(500, 1000) == 2048);
    CHECK(body_limit(200, 1000) == 5024);
}

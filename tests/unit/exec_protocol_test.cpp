#include "jobs/exec_protocol.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/outcome_text.hpp"

#include <boost/json/parse.hpp>

#include <signal.h>

using namespace jobs;
using namespace std::chrono_literals;
using tests::outcome_text;

namespace {

// "log", "log (WARNING)", "progress DONE/TOTAL MESSAGE", "on success OUTCOME" or "verdict OUTCOME".
std::string message_text(const Message& message) {
    if (const auto* log = std::get_if<LogLine>(&message)) {
        return log->warning.empty() ? "log" : "log (" + log->warning + ")";
    }
    if (const auto* progress = std::get_if<Progress>(&message)) {
        return "progress " + std::to_string(progress->done) + "/" + std::to_string(progress->total) + " " +
               progress->message;
    }
    if (std::holds_alternative<Done>(message)) return "done";
    if (const auto* success = std::get_if<OnSuccess>(&message)) return "on success " + outcome_text(success->outcome);
    return "verdict " + outcome_text(std::get<Verdict>(message).outcome);
}

std::string read(std::string_view line, std::size_t left_out = 0) {
    return message_text(read_line(line, left_out, 1000, queue::JobId{128}));
}

}  // namespace

TEST_CASE("read_line tells messages from log", "[jobs][exec]") {
    struct Row {
        std::string line;
        std::string expected;
    };
    const std::string retry_shape = R"(give "why" or {"after": seconds, "error": "why"})";
    const std::string snooze_shape = R"(give seconds or {"for": seconds, "reason": "why"})";
    const std::string not_understood = "line cannot be understood: ";
    const auto row = GENERATE_COPY(values<Row>({
        {R"({"progress": 40})", "progress 40/100 "},
        {R"({"progress": 99.6})", "progress 100/100 "},
        {R"({"progress": {"done": 3, "total": 10, "message": "page 3"}})", "progress 3/10 page 3"},
        {R"({"progress": {"done": 3}})", "progress 3/0 "},
        {R"({"progress": {"done": 3, "note": true}})", "progress 3/0 "},
        {R"( { "progress" : {"done":3,"total":4} } )"
         "\r",
         "progress 3/4 "},
        {R"({"progress": 101})", R"(log ("progress" takes a percentage or {"done": 3, "total": 10, "message": "..."}))"
        },
        {R"({"progress": -1})", R"(log ("progress" takes a percentage or {"done": 3, "total": 10, "message": "..."}))"},
        {R"({"progress": {"total": 10}})",
         R"(log ("progress" takes a percentage or {"done": 3, "total": 10, "message": "..."}))"},
        {R"({"progress": {"done": -1}})",
         R"(log ("progress" takes a percentage or {"done": 3, "total": 10, "message": "..."}))"},

        {R"({"result": {"a": [1, null]}})", R"(on success complete {"a":[1,null]})"},
        {R"({"result": null})", "on success complete null"},
        {"{\"result\": \"\xFF\"}", "on success complete \"\xEF\xBF\xBD\""},
        {R"({"result": [{"a": -1e999}]})",
         R"(on success retry: the program's "result" line holds a number that is too large)"},

        {R"({"retry": "busy"})", "verdict retry: busy"},
        {R"({"retry": {}})", "verdict retry: the program asked for a retry"},
        {R"({"retry": {"after": 1.5, "error": "busy"}})", "verdict retry after 1500 ms: busy"},
        {R"({"retry": {"after": 0}})", "verdict retry after 0 ms: the program asked for a retry"},
        {R"({"retry": {"after": -1}})", "verdict retry: the program's \"retry\" " + not_understood + retry_shape},
        {R"({"retry": {"after": "1"}})", "verdict retry: the program's \"retry\" " + not_understood + retry_shape},
        {R"({"retry": {"after": 1e300}})", "verdict retry: the program's \"retry\" " + not_understood + retry_shape},
        {R"({"retry": [1]})", "verdict retry: the program's \"retry\" " + not_understood + retry_shape},
        {R"({"retry": "a\u0000b"})",
         "verdict retry: a\xEF\xBF\xBD"
         "b"},

        {R"({"snooze": 30})", "verdict snooze 30000 ms: the program asked for it"},
        {R"({"snooze": {"for": 0.25, "reason": "night"}})", "verdict snooze 250 ms: night"},
        {R"({"snooze": {"reason": "night"}})",
         "verdict retry: the program's \"snooze\" " + not_understood + snooze_shape},
        {R"({"snooze": "soon"})", "verdict retry: the program's \"snooze\" " + not_understood + snooze_shape},

        {R"({"discard": "no such user"})", "verdict discard: no such user"},
        {R"({"discard": {"error": "no such user"}})", "verdict discard: no such user"},
        {R"({"discard": {}})", "verdict discard: the program asked for it"},
        {R"({"discard": 5})",
         "verdict retry: the program's \"discard\" " + not_understood + R"(give "why" or {"error": "why"})"},

        {R"({"done": true})", "done"},
        {R"({"done": 1})", R"(log ("done" takes true))"},
        {R"({"done": tru})", R"(log (the program's "done" line is not JSON: syntax error))"},

        {R"({"id": 128, "result": 1})", "on success complete 1"},
        {R"({"result": 1, "id": 128})", "on success complete 1"},
        {R"({ "id" :128 , "progress" : 4 })", "progress 4/100 "},
        {R"({"id": 256, "result": 1})", "verdict retry: the program answered for job 256, but it was given job 128"},
        {R"({"id": 256, "progress": 1})", "verdict retry: the program answered for job 256, but it was given job 128"},
        {R"({"id": 128})", "log"},
        {R"({"id": 128, "name": "x"})", "log"},
        {R"({"id": 128, "result": 1, "name": "x"})", "log"},
        {R"({"id": "128", "result": 1})", "log"},
        {R"({"result": 1, "id": "128"})", "log"},
        {R"({"id": 128, "result": 1)", R"(on success retry: the program's "result" line is not JSON: incomplete JSON)"},
        {R"({"id": 128, "id": 128, "result": 1})", "log"},
        {R"({"id": 128,)", "log"},
        {R"({"id":)", "log"},
        {R"({"id": 1)", "log"},

        {"", "log"},
        {"hello", "log"},
        {"{", "log"},
        {"{}", "log"},
        {"[1]", "log"},
        {R"("result")", "log"},
        {R"({"results": 1})", "log"},
        {R"({"result")", "log"},
        {R"({"level": "info", "result": 1})", "log"},
        {R"({"result": 1, "level": "info"})", "log"},
        {R"({"result": 1, "progress": 2})", "log"},
        {std::string("{\"a\0b\": 1}", 10), "log"},

        {R"({"result": {"a": 1})", R"(on success retry: the program's "result" line is not JSON: incomplete JSON)"},
        {R"({"discard": x})", R"(verdict retry: the program's "discard" line is not JSON: syntax error)"},
        {R"({"progress": 4)", R"(log (the program's "progress" line is not JSON: incomplete JSON))"},
    }));
    INFO(row.line);
    CHECK(read(row.line) == row.expected);
}

TEST_CASE("read_line holds results against their limit", "[jobs][exec]") {
    const std::string fits(998, 'a');  // 1000 with its quotes
    CHECK(read("{\"result\": \"" + fits + "\"}") == "on success complete \"" + fits + "\"");
    CHECK(
        read("{\"result\": \"" + fits + "b\"}") ==
        "on success discard: its result of 1001 bytes is over the limit of 1000 bytes"
    );
    CHECK(read("{\"result\":    \"" + fits + "\"          }") == "on success complete \"" + fits + "\"");
    CHECK(
        read("{\"result\": \"aa", 5000) ==
        "on success discard: its result of 5014 bytes is over the limit of 1000 bytes"
    );
    CHECK(  // bytes that are no UTF-8 grow threefold
        read("{\"result\": \"" + std::string(400, '\xFF') + "\"}") ==
        "on success discard: its result of 1202 bytes is over the limit of 1000 bytes"
    );
    CHECK(read("{\"retry\": \"aa", 5000) == "verdict retry: the program's \"retry\" line is not JSON: it is too long");
}

TEST_CASE("read_line says which answers it could not understand", "[jobs][exec]") {
    struct Row {
        std::string line;
        bool broken;
    };
    const auto row = GENERATE(values<Row>({
        {R"({"result": 1})", false},
        {R"({"retry": "busy"})", false},
        {R"({"result": 1)", true},
        {R"({"result": 1e999})", true},
        {R"({"discard": 1})", true},
        {R"({"discard": x})", true},
        {R"({"id": 256, "result": 1})", true},
    }));
    INFO(row.line);
    const Message message = read_line(row.line, 0, 1000, queue::JobId{128});
    const auto* success = std::get_if<OnSuccess>(&message);
    CHECK((success ? success->broken : std::get<Verdict>(message).broken) == row.broken);
}

TEST_CASE("read_line takes deep nesting in its stride", "[jobs][exec]") {
    CHECK(read("{\"result\": " + std::string(100, '[') + std::string(100, ']') + "}")
              .starts_with("on success complete [["));
    CHECK(read("{\"result\": " + std::string(500, '['))
              .starts_with("on success retry: the program's \"result\" line is not JSON"));
}

TEST_CASE("outcome_of decides by stop, signal, verdict and exit code, in this order", "[jobs][exec]") {
    const Outcome result = Complete{boost::json::value(1)};
    const Outcome too_large = Discard{"too large"};
    const Outcome broken = Retry{"broken", {}};
    const Outcome discard = Discard{"said so"};
    struct Row {
        std::string rule;
        Ending ending;
        std::string expected;
    };
    const auto row = GENERATE_COPY(values<Row>({
        {"exit 0", {.exit = {0, 0}}, "complete"},
        {"exit 0 with a result", {.exit = {0, 0}, .on_success = result}, "complete 1"},
        {"exit 0, result too large", {.exit = {0, 0}, .on_success = too_large}, "discard: too large"},
        {"exit 0, result broken", {.exit = {0, 0}, .on_success = broken}, "retry: broken"},
        {"exit 0 leaves the log out", {.exit = {0, 0}, .log_tail = "note"}, "complete"},
        {"exit 65", {.exit = {65, 0}}, "discard: exit code 65"},
        {"exit 65 with log", {.exit = {65, 0}, .log_tail = "bad file"}, "discard: exit code 65\nbad file"},
        {"exit 75", {.exit = {75, 0}}, "snooze 60000 ms: exit code 75"},
        {"exit 1", {.exit = {1, 0}, .log_tail = "boom"}, "retry: exit code 1\nboom"},
        {"a result does not save exit 3", {.exit = {3, 0}, .on_success = result}, "retry: exit code 3"},
        {"nor does a too large one condemn it", {.exit = {3, 0}, .on_success = too_large}, "retry: exit code 3"},
        {"exit 255", {.exit = {255, 0}}, "retry: exit code 255"},
        {"verdict over exit 0", {.exit = {0, 0}, .verdict = discard}, "discard: said so"},
        {"verdict over exit 75", {.exit = {75, 0}, .verdict = discard}, "discard: said so"},
        {"verdict over a result", {.exit = {0, 0}, .on_success = result, .verdict = discard}, "discard: said so"},
        {"signal over verdict", {.exit = {0, SIGSEGV}, .verdict = discard}, "retry: killed by SIGSEGV"},
        {"signal with log", {.exit = {0, SIGABRT}, .log_tail = "assert"}, "retry: killed by SIGABRT\nassert"},
        {"processor time", {.exit = {0, SIGXCPU}}, "retry: killed by SIGXCPU: its processor time is used up"},
        {"out of memory", {.exit = {0, SIGKILL}}, "retry: killed by SIGKILL, not by this worker: out of memory, perhaps"
        },
        {"real-time signal", {.exit = {0, 40}}, "retry: killed by signal 40"},
        {"timeout",
         {.exit = {0, SIGTERM}, .stopped = StopReason::timeout, .timeout = 1500ms, .log_tail = "slow"},
         "retry: timed out after 1.5 s\nslow"},
        {"timeout over exit 0",
         {.exit = {0, 0}, .on_success = result, .verdict = discard, .stopped = StopReason::timeout, .timeout = 60s},
         "retry: timed out after 60 s"},
        {"cancel over exit 0",
         {.exit = {0, 0}, .on_success = result, .stopped = StopReason::cancelled},
         "cancel: cancelled while it ran"},
        {"lease lost",
         {.exit = {0, 0}, .on_success = result, .stopped = StopReason::lease_lost},
         "retry: stopped: the lease is lost"},
        {"shutdown keeps a finished result",
         {.exit = {0, 0}, .on_success = result, .stopped = StopReason::shutdown},
         "complete 1"},
        {"shutdown without a result may be half done",
         {.exit = {0, 0}, .stopped = StopReason::shutdown},
         "retry: stopped: the worker stops"},
        {"shutdown, killed",
         {.exit = {0, SIGTERM}, .on_success = result, .stopped = StopReason::shutdown},
         "retry: stopped: the worker stops"},
    }));
    INFO(row.rule);
    CHECK(outcome_text(outcome_of(row.ending)) == row.expected);
}

#include "worker/logging.hpp"

#include "tests/support/catch.hpp"
#include "worker/database_log.hpp"
#include "worker/log_cause.hpp"
#include "worker/logging_format.hpp"

#include <boost/json.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>
#include <thread>

using namespace worker;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

// The log of the process, whose lines can be read back.
struct Capture {
    explicit Capture(LogConfig config = {.level = LogLevel::info, .format = LogFormat::json})
        : logger(make_logger(config, std::make_shared<spdlog::sinks::ostream_sink_mt>(output))) {
        spdlog::set_default_logger(logger);
    }
    ~Capture() { spdlog::set_default_logger(before); }
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;

    std::vector<std::string> lines() const {
        std::vector<std::string> all;
        std::istringstream input(output.str());
        for (std::string line; std::getline(input, line);) all.push_back(line);
        return all;
    }

    std::ostringstream output;
    std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
    std::shared_ptr<spdlog::logger> logger;
};

constexpr std::chrono::system_clock::time_point a_time{std::chrono::milliseconds(1'795'248'000'007)};

}  // namespace

TEST_CASE("to_json_line writes valid JSON whatever the message holds", "[worker][logging]") {
    const std::string nasty[] = {
        "plain",
        "quotes \" and \\ and \n newline \t tab",
        "nul \0 escape \x1b[31m del \x7f"s,
        "umlaut \xc3\xa4 emoji \xf0\x9f\x98\x80",
        "broken \xc3( \xff \xe0\x80\x80 \xed\xa0\x80 \xf4\x90\x80\x80 cut \xe2\x82",
        "\x1e\x1f\",\"level\":\"forged",
    };
    for (const std::string& text : nasty) {
        const Fields fields{{"error", text}, {"job_id", 42}, {"seconds", 1.5}};
        const std::string line = to_json_line({a_time, "info", text, &fields});
        REQUIRE(std::ranges::count(line, '\n') == 1);
        const boost::json::value value = boost::json::parse(line);
        CHECK(value.at("level") == "info");
        CHECK(value.at("job_id") == 42);
        CHECK(value.at("seconds") == 1.5);
        CHECK(value.at("message") == value.at("error"));
        CHECK(value.as_object().size() == 7);
    }
    const auto kept = boost::json::parse(to_json_line({a_time, "info", nasty[3], nullptr}));
    CHECK(std::string(kept.at("message").as_string()) == nasty[3]);
    const auto replaced = boost::json::parse(to_json_line({a_time, "info", "a\xff\x62", nullptr}));
    CHECK(replaced.at("message") == "a\xEF\xBF\xBD\x62");
}

TEST_CASE("log lines carry the time in UTC and their fields in order", "[worker][logging]") {
    const Fields fields{{"kind", "send-email"}, {"attempt", 2}, {"error", "two words"}, {"empty", ""}, {"path", "a=b"}};
    CHECK(
        to_json_line({a_time, "warn", "m", &fields}) ==
        R"({"time":"2026-11-21T08:00:00.007Z","level":"warn","component":"worker","message":"m","kind":"send-email","attempt":2,)"
        R"("error":"two words","empty":"","path":"a=b"})"
        "\n"
    );
    CHECK(
        to_text_line({a_time, "warn", "two\nlines", &fields}) ==
        R"(2026-11-21T08:00:00.007Z warn  two\nlines  kind=send-email attempt=2 error="two words" empty="" path="a=b")"
        "\n"
    );
    CHECK(to_text_line({a_time, "error", "m", nullptr}) == "2026-11-21T08:00:00.007Z error m\n");
}

TEST_CASE("log writes what reaches its level, and raw spdlog lines look the same", "[worker][logging]") {
    const Capture capture;
    log(Component::engine, LogLevel::debug, "unseen");
    log(Component::engine, LogLevel::warn, "seen", {{"job_id", queue::JobId{7}}});
    capture.logger->info("raw {}", 1);
    const auto lines = capture.lines();
    REQUIRE(lines.size() == 2);
    CHECK(boost::json::parse(lines[0]).at("job_id") == 7);
    CHECK(boost::json::parse(lines[1]).at("message") == "raw 1");
    CHECK_FALSE(boost::json::parse(lines[1]).as_object().contains("job_id"));
    CHECK(boost::json::parse(lines[0]).at("component") == "engine");
    CHECK(boost::json::parse(lines[1]).at("component") == "handlers");
}

TEST_CASE("job_fields names a job without its args", "[worker][logging]") {
    jobs::Job job;
    job.id = queue::JobId{129};
    job.kind = "mail";
    job.args = boost::json::value{{"password", "hunter2"}};
    const Fields single = job_fields(job, queue::WorkerId{3});
    CHECK(to_text_line({a_time, "info", "m", &single}).ends_with("m  job_id=129 kind=mail attempt=1 worker_id=3\n"));
    job.batch = "0b5c";
    const Fields of_batch = job_fields(job, queue::WorkerId{3});
    CHECK(to_text_line({a_time, "info", "m", &of_batch}).ends_with("attempt=1 batch_id=0b5c worker_id=3\n"));
}

TEST_CASE("log keeps each thread's fields with its own line", "[worker][logging]") {
    const Capture capture;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            for (int i = 0; i < 200; ++i) {
                log(Component::engine, LogLevel::info, std::to_string(thread), {{"thread", thread}, {"i", i}});
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    const auto lines = capture.lines();
    REQUIRE(lines.size() == 800);
    for (const std::string& line : lines) {
        const auto value = boost::json::parse(line);
        CHECK(std::to_string(value.at("thread").as_int64()) == std::string(value.at("message").as_string()));
    }
}

TEST_CASE(
    "SayOnce lets each text through once until all is well, and counts what it passes over", "[worker][logging]"
) {
    SayOnce once;
    CHECK(once.next("refused") == 0);
    CHECK_FALSE(once.next("refused").has_value());
    CHECK_FALSE(once.next("refused").has_value());
    CHECK(once.next("timed out after 10 s, 3 wait") == 2);
    CHECK_FALSE(once.next("refused").has_value());
    CHECK_FALSE(once.next("timed out after 9 s, 12 wait").has_value());
    CHECK(once.next("timed out") == 2);
    CHECK(once.clear());
    CHECK_FALSE(once.clear());
    CHECK(once.next("refused") == 0);
}

TEST_CASE("SayOnce ends with the sixteenth text about one trouble", "[worker][logging]") {
    SayOnce once;
    int said = 0;
    for (char letter = 'a'; letter <= 'z'; ++letter) {
        if (once.next(std::string(1, letter))) ++said;
    }
    CHECK(said == 16);
    CHECK(once.clear());
    CHECK(once.next("z") == 0);
}

TEST_CASE("SayOnce says again once a minute what is still wrong", "[worker][logging]") {
    SayOnce once;
    const SayOnce::Time start{};
    CHECK(once.next("refused", start) == 0);
    CHECK_FALSE(once.next("refused", start + SayOnce::reminder - 1ms).has_value());
    CHECK(once.next("refused", start + SayOnce::reminder) == 1);
    CHECK_FALSE(once.next("refused", start + SayOnce::reminder + 1ms).has_value());
    CHECK(once.clear());
}

TEST_CASE("log_once writes a repeated line once", "[worker][logging]") {
    const Capture capture;
    SayOnce once;
    for (const char* text : {"a", "a", "a", "b"}) log_once(once, Component::engine, LogLevel::error, text);
    const auto lines = capture.lines();
    REQUIRE(lines.size() == 2);
    CHECK(boost::json::parse(lines[1]).at("repeated") == 2);
    CHECK(boost::json::parse(lines[1]).at("component") == "engine");
}

TEST_CASE("log_limited writes ten lines of one subject and says how many it left out", "[worker][logging]") {
    const Capture capture;
    for (int i = 0; i < 25; ++i) {
        log_limited(Component::jobs, LogLevel::warn, "failed", {{"job_id", i}}, "mail");
        if (i < 3) log_limited(Component::jobs, LogLevel::warn, "failed", {{"job_id", i}}, "photo");
    }
    CHECK(capture.lines().size() == 13);
    log_left_out(Repeats::Time::clock::now());
    CHECK(capture.lines().size() == 13);
    log_left_out(Repeats::Time::clock::now() + Repeats::interval);
    log_left_out(Repeats::Time::clock::now() + Repeats::interval);
    const auto lines = capture.lines();
    REQUIRE(lines.size() == 14);
    const auto last = boost::json::parse(lines.back());
    CHECK(last.at("message") == "failed");
    CHECK(last.at("level") == "warn");
    CHECK(last.at("subject") == "mail");
    CHECK(last.at("left_out") == 15);
    log_limited(Component::jobs, LogLevel::warn, "failed", {}, "mail");
    CHECK(capture.lines().size() == 15);
    log_left_out(Repeats::Time::max());
}

TEST_CASE("Repeats counts beyond its places by message alone", "[worker][logging]") {
    Repeats repeats;
    const Repeats::Time now{};
    int written = 0;
    for (int i = 0; i < 1'000; ++i) {
        if (repeats.admit({Component::jobs, LogLevel::warn, "failed", std::to_string(i)}, now)) ++written;
    }
    CHECK(written == static_cast<int>(Repeats::most_places) + Repeats::burst);
    const auto left_out = repeats.due(now + Repeats::interval);
    REQUIRE(left_out.size() == 1);
    CHECK(left_out.front().lines == 1'000 - written);
    CHECK(repeats.empty());
}

TEST_CASE("failure_cause is what the worker itself says of an attempt", "[worker][logging]") {
    CHECK(failure_cause("exit code 3\nTraceback: secret") == "exit code 3");
    CHECK(failure_cause("killed by SIGSEGV\nsecret") == "killed by SIGSEGV");
    CHECK(failure_cause("killed by signal 34") == "killed by signal 34");
    CHECK(failure_cause("timed out after 0.5 s") == "timed out after 0.5 s");
    CHECK(failure_cause("HTTP 422 secret\nsecret") == "HTTP 422");
    CHECK(failure_cause("the program ended before it answered: exit code 1") == "the program ended before it answered");
    CHECK(failure_cause("POST http://u:p@h/: refused") == "no answer");
    for (const char* text :
         {"",
          "secret",
          "exit code secret",
          "HTTP secret",
          "timed out after 5 secrets",
          "killed by SIGsecret",
          "exit code 1234567890123456789012345"}) {
        CHECK(failure_cause(text).empty());
    }
}

TEST_CASE("trace_id is that of a valid traceparent", "[worker][logging]") {
    const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    CHECK(trace_id(good) == "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK(trace_id("cc" + good.substr(2) + "-what-comes-later") == "4bf92f3577b34da6a3ce929d0e0e4736");
    std::string upper = good;
    upper[4] = 'B';
    std::string none = good;
    none.replace(3, 32, 32, '0');
    for (const std::string& bad : {""s, good.substr(1), good + "x", upper, none, "00-1-2-01"s, good.substr(0, 54)}) {
        INFO(bad);
        CHECK(trace_id(bad).empty());
    }
    jobs::Job job;
    job.traceparent = good;
    const Fields fields = job_fields(job, queue::WorkerId{3});
    CHECK(
        to_json_line({a_time, "info", "m", &fields}).find(R"("trace_id":"4bf92f3577b34da6a3ce929d0e0e4736")") !=
        std::string::npos
    );
}

TEST_CASE("error_text leaves out what the server says of a value that it refuses", "[worker][logging]") {
    const db::Error data({"22P05", "a value", "marked", "", ""}, "finish_jobs");
    CHECK(error_text(data) == "a value is refused [22P05] in finish_jobs");
    const db::Error other({"42P01", "no such table", "", "", ""}, "finish_jobs");
    CHECK(error_text(other) == "no such table [42P01] in finish_jobs");
}

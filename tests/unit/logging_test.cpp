#include "worker/logging.hpp"

#include "tests/support/catch.hpp"
#include "worker/logging_format.hpp"

#include <boost/json.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>
#include <thread>

using namespace worker;
using namespace std::string_literals;

namespace {

// A logger whose lines can be read back.
struct Capture {
    explicit Capture(LogConfig config = {.level = LogLevel::info, .format = LogFormat::json})
        : logger(make_logger(config, std::make_shared<spdlog::sinks::ostream_sink_mt>(output))) {}

    std::vector<std::string> lines() const {
        std::vector<std::string> all;
        std::istringstream input(output.str());
        for (std::string line; std::getline(input, line);) all.push_back(line);
        return all;
    }

    std::ostringstream output;
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
        CHECK(value.as_object().size() == 6);
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
        R"({"time":"2026-11-21T08:00:00.007Z","level":"warn","message":"m","kind":"send-email","attempt":2,)"
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
    log(*capture.logger, LogLevel::debug, "unseen");
    log(*capture.logger, LogLevel::warn, "seen", {{"job_id", queue::JobId{7}}});
    capture.logger->info("raw {}", 1);
    const auto lines = capture.lines();
    REQUIRE(lines.size() == 2);
    CHECK(boost::json::parse(lines[0]).at("job_id") == 7);
    CHECK(boost::json::parse(lines[1]).at("message") == "raw 1");
    CHECK_FALSE(boost::json::parse(lines[1]).as_object().contains("job_id"));
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
                log(*capture.logger, LogLevel::info, std::to_string(thread), {{"thread", thread}, {"i", i}});
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

TEST_CASE("log_once writes a repeated line once", "[worker][logging]") {
    const Capture capture;
    const auto before = spdlog::default_logger();
    spdlog::set_default_logger(capture.logger);
    SayOnce once;
    for (const char* text : {"a", "a", "a", "b"}) log_once(once, LogLevel::error, text);
    const bool debug = is_logged(LogLevel::debug);
    spdlog::set_default_logger(before);
    const auto lines = capture.lines();
    REQUIRE(lines.size() == 2);
    CHECK(boost::json::parse(lines[1]).at("repeated") == 2);
    CHECK_FALSE(debug);
}

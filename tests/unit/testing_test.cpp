#include "jobs/testing.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/outcome_text.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <string>
#include <vector>

using namespace jobs;
namespace asio = boost::asio;

TEST_CASE("a test context keeps what its handler says, and runs it again", "[jobs][testing]") {
    const Handler handler = [](JobContext& context) -> asio::awaitable<Outcome> {
        context.log(LogLevel::warning, "careful");
        context.progress(1, 2, "half");
        co_return Complete{context.job().args.value()};
    };
    TestContext test({{"n", 1}});
    std::vector<std::string> heard;
    test.on_log = [&](const std::string& line) { heard.push_back(line); };
    test.on_progress = [&](const Progress& report) { heard.push_back(report.message); };
    CHECK(tests::outcome_text(test.run(handler)) == R"(complete {"n":1})");
    CHECK(heard == std::vector<std::string>{"careful", "half"});
    test.run(handler);
    CHECK(test.log == std::vector<std::string>{"careful", "careful"});
    REQUIRE(test.progress.size() == 2);
    CHECK(test.progress[1].done == 1);
    CHECK(test.progress[1].total == 2);
}

TEST_CASE("a test context takes a job of any attempt", "[jobs][testing]") {
    Job job;
    job.attempt = 3;
    TestContext test(std::move(job));
    const Handler handler = [](JobContext& context) -> asio::awaitable<Outcome> {
        co_return Complete{context.job().attempt};
    };
    CHECK(tests::outcome_text(test.run(handler)) == "complete 3");
}

TEST_CASE("a test context gives up on a handler that does not end", "[jobs][testing]") {
    const Handler handler = [](JobContext&) -> asio::awaitable<Outcome> {
        asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::seconds(5));
        co_await timer.async_wait(asio::use_awaitable);
        co_return Complete{};
    };
    TestContext test;
    CHECK_THROWS_WITH(test.run(handler, std::chrono::seconds(0)), "the handler did not end in time");
}

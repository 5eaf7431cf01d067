// The test runner's main, compiled once, and a log of test cases for tests/run that survives a crash.
#define CATCH_CONFIG_MAIN
#include "tests/support/catch.hpp"
#include "tests/support/skip.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

namespace {

#if __has_include(<catch2/catch_all.hpp>)
using Listener = Catch::EventListenerBase;
using Answer = void;
#else
using Listener = Catch::TestEventListenerBase;
using Answer = bool;
#endif

void log(const std::string& line) {
    const char* const path = std::getenv("TASK_WORKER_TEST_LOG");
    if (path != nullptr) std::ofstream(path, std::ios::app) << line << '\n';
}

std::string on_one_line(std::string text) {
    std::ranges::replace(text, '\n', ' ');
    return text;
}

// A long message is often what a program printed, which says at its end why it failed.
std::string end_of(const std::string& text) {
    constexpr std::size_t most = 400;
    return text.size() <= most ? text : "..." + text.substr(text.size() - most);
}

// Writes "begin NAME", then "passed" or "failed", to the file named by TASK_WORKER_TEST_LOG; before "failed", a line
// "at FILE:LINE EXPRESSION; MESSAGE" for each check that failed, with what INFO said. A test that is skipped has a line
// "skipped WHY" before "passed". Without that variable, nothing.
class TestLog : public Listener {
public:
    using Listener::Listener;

    void testCaseStarting(const Catch::TestCaseInfo& test) override {
        Listener::testCaseStarting(test);
        log("begin " + test.name);
    }
    Answer assertionEnded(const Catch::AssertionStats& stats) override {
        const auto& result = stats.assertionResult;
        if (!result.isOk()) {
            const auto place = result.getSourceInfo();
            const std::string expression =
                result.hasExpression() ? result.getExpandedExpression() : std::string(result.getMessage());
            std::string line =
                std::string(place.file) + ":" + std::to_string(place.line) + " " + expression.substr(0, 300);
            for (const Catch::MessageInfo& info : stats.infoMessages) line += "; " + end_of(info.message);
            log("at " + on_one_line(std::move(line)));
        }
        return Listener::assertionEnded(stats);
    }
    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        Listener::testCaseEnded(stats);
        log(stats.totals.testCases.failed > 0 ? "failed" : "passed");
    }
};

CATCH_REGISTER_LISTENER(TestLog)

}  // namespace

void tests::skip(std::string_view why) {
    std::printf("skipped: %s: %s\n", Catch::getResultCapture().getCurrentTestName().c_str(), std::string(why).c_str());
    log("skipped " + std::string(why));
}

// The test runner's main, compiled once, and a log of test cases for tests/run that survives a crash.
#define CATCH_CONFIG_MAIN
#include "tests/support/catch.hpp"

#include <cstdlib>
#include <fstream>

namespace {

#if __has_include(<catch2/catch_all.hpp>)
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

// Writes "begin NAME", then "passed" or "failed", to the file named by TASK_WORKER_TEST_LOG; without it, nothing.
class TestLog : public Listener {
public:
    using Listener::Listener;

    void testCaseStarting(const Catch::TestCaseInfo& test) override {
        Listener::testCaseStarting(test);
        log("begin " + test.name);
    }
    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        Listener::testCaseEnded(stats);
        log(stats.totals.testCases.failed > 0 ? "failed" : "passed");
    }

private:
    static void log(const std::string& line) {
        const char* const path = std::getenv("TASK_WORKER_TEST_LOG");
        if (path != nullptr) std::ofstream(path, std::ios::app) << line << '\n';
    }
};

CATCH_REGISTER_LISTENER(TestLog)

}  // namespace

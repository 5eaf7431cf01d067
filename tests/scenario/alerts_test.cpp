// The alert rules as Debian's promtool judges them.

#include "tests/support/alert_rules.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/prometheus.hpp"

#include <string>

using namespace tests;

namespace {

void check_accepted(const std::vector<std::string>& words) {
    const Finished finished = run_command({.words = words});
    INFO(finished.output << finished.errors);
    CHECK(finished.code == 0);
}

}  // namespace

TEST_CASE("promtool accepts the configuration of Prometheus and the rules that it names", "[scenario][alerts]") {
    check_accepted({promtool, "check", "config", TASK_WORKER_SOURCE_DIR "/deploy/prometheus/prometheus.yml"});
    check_accepted({promtool, "check", "rules", "--lint-fatal", alert_rules_path});
}

TEST_CASE("each alert fires when it must and says what it found, and is quiet otherwise", "[scenario][alerts]") {
    int files = 0;
    for (const std::string& file : alert_test_files()) {
        check_accepted({promtool, "test", "rules", file});
        ++files;
    }
    CHECK(files == 5);
}

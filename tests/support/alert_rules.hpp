#pragma once

// The alert rules of deploy/prometheus/alerts.yml.

#include <string>
#include <vector>

namespace tests {

inline const std::string alert_rules_path = TASK_WORKER_SOURCE_DIR "/deploy/prometheus/alerts.yml";

struct AlertRule {
    std::string name;
    std::string expression;
    std::string severity;
    std::string summary;
    std::string description;
    std::string runbook;  // page#section
};

std::vector<AlertRule> read_alert_rules();

// The files of tests/alerts, which promtool reads: what fires each alert, and what does not.
std::vector<std::string> alert_test_files();

// How often those files expect an alert of this name, and how often they expect none.
struct AlertExpectations {
    int firing = 0;
    int quiet = 0;
    int quiet_when_healthy = 0;  // of them in healthy.yml
};
AlertExpectations expectations_of(const std::string& alert);

}  // namespace tests

#include "tests/support/alert_rules.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>

namespace tests {

std::vector<AlertRule> read_alert_rules() {
    std::vector<AlertRule> rules;
    for (const YAML::Node& group : YAML::LoadFile(alert_rules_path)["groups"]) {
        for (const YAML::Node& rule : group["rules"]) {
            const YAML::Node annotations = rule["annotations"];
            rules.push_back(
                {.name = rule["alert"].as<std::string>(),
                 .expression = rule["expr"].as<std::string>(),
                 .severity = rule["labels"]["severity"].as<std::string>(),
                 .summary = annotations["summary"].as<std::string>(),
                 .description = annotations["description"].as<std::string>(),
                 .runbook = annotations["runbook"].as<std::string>()}
            );
        }
    }
    return rules;
}

std::vector<std::string> alert_test_files() {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(TASK_WORKER_SOURCE_DIR "/tests/alerts")) {
        files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

AlertExpectations expectations_of(const std::string& alert) {
    AlertExpectations expectations;
    for (const std::string& file : alert_test_files()) {
        for (const YAML::Node& test : YAML::LoadFile(file)["tests"]) {
            for (const YAML::Node& look : test["alert_rule_test"]) {
                if (look["alertname"].as<std::string>() != alert) continue;
                if (look["exp_alerts"]) {
                    ++expectations.firing;
                } else {
                    ++expectations.quiet;
                    if (file.ends_with("/healthy.yml")) ++expectations.quiet_when_healthy;
                }
            }
        }
    }
    return expectations;
}

}  // namespace tests

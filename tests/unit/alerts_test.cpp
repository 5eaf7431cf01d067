// deploy/prometheus/alerts.yml names nothing that is not there, and deploy/runbook.md has a section for each alert.

#include "tests/support/alert_rules.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/markdown.hpp"
#include "tests/support/promql.hpp"

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <string>

using namespace tests;

namespace {

const std::string& runbook() {
    static const std::string page = read_page("deploy/runbook.md");
    return page;
}

// The alerts that each section's line says it belongs to, by its anchor; of those without such a line nothing.
std::map<std::string, std::set<std::string>> alerts_by_section() {
    static const std::regex name("`(TaskWorker[A-Za-z]+)`");
    const std::string mark = "**Alert:** ";
    std::map<std::string, std::set<std::string>> sections;
    std::string section;
    for (const std::string& line : lines_of(runbook())) {
        if (line.starts_with("## ")) section = heading_anchors(line).at(0);
        if (!line.starts_with(mark)) continue;
        std::set<std::string>& alerts = sections[section];
        for (std::sregex_iterator at(line.begin(), line.end(), name); at != std::sregex_iterator(); ++at) {
            alerts.insert((*at)[1]);
        }
        if (line.starts_with(mark + "none: ")) sections[section] = {};
    }
    return sections;
}

}  // namespace

TEST_CASE("every alert is named and worded as all are, and only once", "[deploy][alerts]") {
    std::set<std::string> names;
    for (const AlertRule& rule : read_alert_rules()) {
        INFO(rule.name);
        CHECK(names.insert(rule.name).second);
        CHECK(rule.name.starts_with("TaskWorker"));
        CHECK((rule.severity == "critical" || rule.severity == "warning"));
        CHECK_FALSE(rule.summary.ends_with("."));
        CHECK(rule.description.ends_with("."));
        CHECK(rule.description.find("{{ ") != std::string::npos);  // says of whom, and the value where there is one
    }
    CHECK(names.size() > 25);
}

TEST_CASE("every alert asks for nothing but metrics and labels that are exported", "[deploy][alerts]") {
    for (const AlertRule& rule : read_alert_rules()) {
        INFO(rule.name << ": " << rule.expression);
        CHECK(foreign_names(rule.expression) == "");
        CHECK_FALSE(selectors_of(rule.expression).empty());
    }
    CHECK(foreign_names("task_worker_nothing{a=\"b\"}") == " task_worker_nothing");
    CHECK(foreign_names("sum by (kind) (up{queue=\"b\"})") == " up{queue} by (kind)");
}

TEST_CASE("every alert is tested firing, quiet before, and quiet in a healthy fleet", "[deploy][alerts]") {
    for (const AlertRule& rule : read_alert_rules()) {
        INFO(rule.name);
        const AlertExpectations expected = expectations_of(rule.name);
        CHECK(expected.firing >= 1);
        CHECK(expected.quiet_when_healthy >= 3);
        CHECK(expected.quiet > expected.quiet_when_healthy);
    }
}

TEST_CASE("every alert has its section in the runbook, and every section its alerts", "[deploy][alerts][runbook]") {
    const auto sections = alerts_by_section();
    std::set<std::string> names;
    for (const AlertRule& rule : read_alert_rules()) {
        INFO(rule.name << " leads to " << rule.runbook);
        const std::string page = "deploy/runbook.md#";
        REQUIRE(rule.runbook.starts_with(page));
        const auto section = sections.find(rule.runbook.substr(page.size()));
        REQUIRE(section != sections.end());
        CHECK(section->second.contains(rule.name));
        names.insert(rule.name);
    }
    // What is no fault has none.
    const std::set<std::string> others{
        "runbook", "first-look", "how-soon-each-fault-of-the-network-is-over", "stopping-and-deploying"
    };
    for (const std::string& anchor : heading_anchors(runbook())) {
        INFO(anchor);
        CHECK(sections.contains(anchor) != others.contains(anchor));
    }
    for (const auto& [section, alerts] : sections) {
        for (const std::string& alert : alerts) {
            INFO(section << " names " << alert);
            CHECK(names.contains(alert));
        }
    }
}

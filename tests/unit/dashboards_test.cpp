// The dashboards of deploy/grafana can be laid out and name nothing but what the worker exports, all of it.

#include "tests/support/dashboards.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/promql.hpp"

#include <algorithm>
#include <regex>
#include <set>
#include <string>

using namespace tests;

namespace {

constexpr int grid_width = 24;
constexpr int oldest_schema = 36;  // Grafana 9

const std::vector<Dashboard>& dashboards() {
    static const std::vector<Dashboard> all = read_dashboards();
    return all;
}

}  // namespace

TEST_CASE("there are two dashboards, each importable as it is", "[deploy][dashboards]") {
    std::set<std::string> uids;
    for (const Dashboard& dashboard : dashboards()) {
        INFO(dashboard.file);
        uids.emplace(dashboard.json.at("uid").as_string());
        CHECK(dashboard.json.at("schemaVersion").as_int64() >= oldest_schema);
        CHECK_FALSE(dashboard.json.at("title").as_string().empty());
        CHECK_FALSE(dashboard.json.contains("id"));  // Grafana gives it
        CHECK(dashboard.variables.at(0) == "datasource");
        for (const std::string& uid : dashboard.datasources) CHECK(uid == "${datasource}");
        for (const auto& link : dashboard.json.at("links").as_array()) {
            const std::string url(link.at("url").as_string());
            CHECK(std::ranges::any_of(dashboards(), [&](const Dashboard& other) {
                return url == "/d/" + std::string(other.json.at("uid").as_string());
            }));
        }
    }
    CHECK(uids == std::set<std::string>{"task-worker-overview", "task-worker-pool"});
}

TEST_CASE("no panel of a dashboard lies upon another or outside, and each has its own id", "[deploy][dashboards]") {
    for (const Dashboard& dashboard : dashboards()) {
        std::set<int> ids;
        for (const DashboardPanel& panel : dashboard.panels) {
            INFO(dashboard.file << ": " << panel.title);
            CHECK(ids.insert(panel.id).second);
            CHECK(panel.x >= 0);
            CHECK(panel.width > 0);
            CHECK(panel.height > 0);
            CHECK(panel.x + panel.width <= grid_width);
            for (const DashboardPanel& other : dashboard.panels) {
                INFO(other.title);
                CHECK((other.id == panel.id || !panel.overlaps(other)));
            }
        }
        CHECK(ids.size() > 20);
    }
}

TEST_CASE("each panel says what it shows, in which unit", "[deploy][dashboards]") {
    const std::set<std::string> units{"short", "s", "ops", "percentunit"};
    for (const Dashboard& dashboard : dashboards()) {
        for (const DashboardPanel& panel : dashboard.panels) {
            if (panel.is_row()) continue;
            INFO(dashboard.file << ": " << panel.title);
            CHECK(panel.description.ends_with("."));
            CHECK(units.contains(panel.unit));
            CHECK_FALSE(panel.expressions.empty());
            CHECK(std::set(panel.ref_ids.begin(), panel.ref_ids.end()).size() == panel.ref_ids.size());
        }
    }
}

TEST_CASE("the dashboards name nothing but what is exported, and all of that", "[deploy][dashboards]") {
    std::set<std::string> shown;
    for (const Dashboard& dashboard : dashboards()) {
        std::vector<std::string> expressions = dashboard.annotations;
        expressions.insert(expressions.end(), dashboard.variable_series.begin(), dashboard.variable_series.end());
        for (const DashboardPanel& panel : dashboard.panels) {
            expressions.insert(expressions.end(), panel.expressions.begin(), panel.expressions.end());
        }
        for (const std::string& expression : expressions) {
            INFO(dashboard.file << ": " << expression);
            CHECK(foreign_names(expression) == "");
            CHECK(expression.find('$') == std::string::npos);  // no variable that the dashboard lacks
            for (const Selector& selector : selectors_of(expression)) shown.insert(family_of(selector.metric));
        }
    }
    for (const auto& [series, labels] : exported_series()) {
        INFO(series);
        CHECK((series == "up" || shown.contains(family_of(series))));
    }
}

// A real Prometheus on a worker under load: what alert rules and dashboards ask for is there.

#include "tests/support/alert_rules.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dashboards.hpp"
#include "tests/support/promql.hpp"
#include "tests/support/watched_worker.hpp"

#include <boost/json.hpp>

#include <csignal>
#include <string>

using namespace tests;

namespace {

std::string alerts(const std::string& labels) {
    return "ALERTS{" + labels + "}";
}

}  // namespace

TEST_CASE("every alert of a worker under load is evaluated, on data", "[scenario][alerts][prometheus]") {
    WatchedWorker watched;
    const Prometheus& prometheus = watched.prometheus();
    for (const AlertRule& rule : read_alert_rules()) {
        INFO(rule.name << ": " << rule.expression);
        CHECK_NOTHROW(prometheus.query(rule.expression));
        for (const Selector& selector : selectors_of(rule.expression)) {
            INFO(selector.text);
            CHECK(prometheus.count(selector.text) > 0);
        }
    }
    CHECK_THROWS(prometheus.query("sum by ("));

    // Prometheus itself says the same of its rules.
    std::size_t rules = 0;
    prometheus.await(alerts("alertname=\"TaskWorkerDeadLetters\", kind=\"echo\", alertstate=\"firing\""));
    const boost::json::value told = prometheus.rules();
    for (const auto& group : told.at("groups").as_array()) {
        for (const auto& rule : group.at("rules").as_array()) {
            INFO(boost::json::serialize(rule));
            CHECK(rule.at("health") == "ok");
            ++rules;
        }
    }
    CHECK(rules == read_alert_rules().size());
    CHECK(prometheus.count(alerts("alertname!=\"TaskWorkerDeadLetters\", alertstate=\"firing\"")) == 0);

    watched.worker().signal(SIGKILL);
    prometheus.await(alerts("alertname=\"TaskWorkerNoWorker\", job=\"task-worker\", alertstate=\"pending\""));
}

TEST_CASE("every panel of the dashboards shows data of a worker under load", "[scenario][dashboards][prometheus]") {
    WatchedWorker watched;
    const Prometheus& prometheus = watched.prometheus();
    int panels = 0;
    for (const Dashboard& dashboard : read_dashboards()) {
        for (const DashboardPanel& panel : dashboard.panels) {
            for (const std::string& expression : panel.expressions) {
                INFO(dashboard.file << ": " << panel.title << ": " << expression);
                CHECK(prometheus.count(expression) > 0);
                for (const Selector& selector : selectors_of(expression)) {
                    INFO(selector.text);
                    CHECK(prometheus.count(selector.text) > 0);
                }
            }
            panels += panel.is_row() ? 0 : 1;
        }
        for (const std::string& series : dashboard.variable_series) CHECK(prometheus.count(series) > 0);
        for (const std::string& expression : dashboard.annotations) CHECK_NOTHROW(prometheus.query(expression));
    }
    CHECK(panels > 40);
}

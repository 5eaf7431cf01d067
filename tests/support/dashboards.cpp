#include "tests/support/dashboards.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <utility>

namespace json = boost::json;
namespace fs = std::filesystem;

namespace tests {

namespace {

std::string text(const json::object& object, std::string_view key) {
    return std::string(object.at(key).as_string());
}

// As Grafana fills them in when one fleet is chosen, and All of everything else.
std::string filled_in(std::string expression) {
    const std::pair<const char*, const char*> values[] = {
        {"$__rate_interval", "1m"}, {"$job", "task-worker"}, {"$instance", ".*"}, {"$queue", ".*"}
    };
    for (const auto& [variable, value] : values) {
        for (std::size_t at = 0; (at = expression.find(variable)) != std::string::npos;) {
            expression.replace(at, std::string_view(variable).size(), value);
        }
    }
    return expression;
}

DashboardPanel panel_from(const json::object& given) {
    DashboardPanel panel;
    panel.id = given.at("id").to_number<int>();
    panel.type = text(given, "type");
    panel.title = text(given, "title");
    const json::object& place = given.at("gridPos").as_object();
    panel.x = place.at("x").to_number<int>();
    panel.y = place.at("y").to_number<int>();
    panel.width = place.at("w").to_number<int>();
    panel.height = place.at("h").to_number<int>();
    if (panel.is_row()) return panel;
    panel.description = text(given, "description");
    panel.unit = text(given.at("fieldConfig").at("defaults").as_object(), "unit");
    for (const json::value& target : given.at("targets").as_array()) {
        panel.expressions.push_back(filled_in(text(target.as_object(), "expr")));
        panel.ref_ids.push_back(text(target.as_object(), "refId"));
    }
    return panel;
}

// Every "datasource": {"uid": ...} below.
void find_datasources(const json::value& value, std::vector<std::string>& found) {
    if (value.is_array()) {
        for (const json::value& item : value.as_array()) find_datasources(item, found);
    } else if (value.is_object()) {
        for (const auto& [key, item] : value.as_object()) {
            if (key == "datasource" && item.is_object()) found.push_back(text(item.as_object(), "uid"));
            find_datasources(item, found);
        }
    }
}

Dashboard dashboard_from(const std::string& path) {
    static const std::regex label_values(R"(label_values\((.*), [a-z]+\))");
    std::ifstream file(path);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    Dashboard dashboard;
    dashboard.file = path;
    dashboard.json = json::parse(content).as_object();
    for (const json::value& panel : dashboard.json.at("panels").as_array()) {
        dashboard.panels.push_back(panel_from(panel.as_object()));
    }
    for (const json::value& variable : dashboard.json.at("templating").at("list").as_array()) {
        dashboard.variables.push_back(text(variable.as_object(), "name"));
        if (variable.at("type") != "query") continue;
        const std::string query = text(variable.at("query").as_object(), "query");
        dashboard.variable_series.push_back(filled_in(std::regex_replace(query, label_values, "$1")));
    }
    for (const json::value& annotation : dashboard.json.at("annotations").at("list").as_array()) {
        dashboard.annotations.push_back(filled_in(text(annotation.as_object(), "expr")));
    }
    find_datasources(dashboard.json, dashboard.datasources);
    return dashboard;
}

}  // namespace

bool DashboardPanel::overlaps(const DashboardPanel& other) const {
    return x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height;
}

std::vector<Dashboard> read_dashboards() {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(TASK_WORKER_SOURCE_DIR "/deploy/grafana")) {
        if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    std::vector<Dashboard> dashboards;
    for (const std::string& file : files) dashboards.push_back(dashboard_from(file));
    return dashboards;
}

}  // namespace tests

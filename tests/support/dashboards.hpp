#pragma once

// The Grafana dashboards of deploy/grafana.

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace tests {

struct DashboardPanel {
    int id = 0;
    std::string type;
    std::string title;
    std::string description;
    std::string unit;
    std::vector<std::string> expressions;  // their variables filled in, as Grafana does
    std::vector<std::string> ref_ids;
    int x = 0;
    int y = 0;
    int width = 0;
    int height = 0;

    bool is_row() const { return type == "row"; }
    bool overlaps(const DashboardPanel& other) const;
};

struct Dashboard {
    std::string file;
    boost::json::object json;
    std::vector<DashboardPanel> panels;
    std::vector<std::string> variables;        // by name
    std::vector<std::string> variable_series;  // what label_values asks for
    std::vector<std::string> annotations;      // expressions, as those of panels
    std::vector<std::string> datasources;      // every uid that is named
};

// In the order of their files' names. Throws: boost::system::system_error when one is no JSON, or lacks what Grafana
// needs.
std::vector<Dashboard> read_dashboards();

}  // namespace tests

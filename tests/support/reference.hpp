#pragma once

// The pages of docs/reference, made from what the program itself knows: its settings, its commands, its metrics, and
// what the catalogue says of its SQL functions. Tests hold the pages against these.

#include <string>
#include <string_view>
#include <vector>

namespace tests {

// The beginning of a page: its title, how it is renewed, what it is.
std::string reference_page(std::string_view title, std::string_view what);

struct MetricFamily {
    std::string name;
    std::string labels;  // with commas between
    std::string type;
    std::string meaning;
};

// The families of a scrape, by name.
std::vector<MetricFamily> metric_families(const std::string& scrape);

std::string metrics_reference(const std::vector<MetricFamily>& families);
std::string config_reference();
std::string cli_reference();
// `url`: a migrated database. Throws: std::runtime_error when a function of the page is not there, or says nothing of
// itself.
std::string sql_reference(const std::string& url);

}  // namespace tests

#pragma once

// What an expression in Prometheus' language asks for, and what the worker exports.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

// One series or several as an expression names them: up{job=~"task-worker.*"}.
struct Selector {
    std::string metric;
    std::string text;                 // with its labels, as it stands there
    std::vector<std::string> labels;  // that are named within its braces
};

// Those of task_worker_ and of up, in their order.
std::vector<Selector> selectors_of(const std::string& expression);

// The labels that an expression groups or matches by: by (job, queue).
std::vector<std::string> grouping_labels(const std::string& expression);

// The families of tests/golden/metrics.txt by the names of their series (a histogram has three), each with its labels.
std::map<std::string, std::set<std::string>> exported_series();

// The family of a series: a histogram's without _bucket, _sum or _count.
std::string family_of(const std::string& series);

// Empty when the expression names nothing but what is exported; else what it names.
std::string foreign_names(const std::string& expression);

}  // namespace tests

#include "tests/support/promql.hpp"

#include "tests/support/markdown.hpp"

#include <regex>

namespace tests {

namespace {

std::vector<std::string> matches(const std::string& text, const std::regex& pattern) {
    std::vector<std::string> found;
    for (std::sregex_iterator at(text.begin(), text.end(), pattern); at != std::sregex_iterator(); ++at) {
        found.push_back((*at)[1]);
    }
    return found;
}

std::vector<std::string> comma_separated(const std::string& text) {
    return matches(text, std::regex("([A-Za-z_]+)"));
}

}  // namespace

std::vector<Selector> selectors_of(const std::string& expression) {
    static const std::regex selector(R"(\b(task_worker_[a-z_]+|up)\b(\{[^}]*\})?)");
    static const std::regex label(R"(([a-z_]+)\s*(?:=~|!~|!=|=)\s*\")");
    std::vector<Selector> found;
    for (std::sregex_iterator at(expression.begin(), expression.end(), selector); at != std::sregex_iterator(); ++at) {
        found.push_back({.metric = (*at)[1], .text = at->str(), .labels = matches((*at)[2], label)});
    }
    return found;
}

std::vector<std::string> grouping_labels(const std::string& expression) {
    static const std::regex grouping(R"(\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\))");
    std::vector<std::string> labels;
    for (const std::string& list : matches(expression, grouping)) {
        for (std::string& label : comma_separated(list)) labels.push_back(std::move(label));
    }
    return labels;
}

std::map<std::string, std::set<std::string>> exported_series() {
    static const std::regex line(R"(([a-z_]+)(?:\{([^}]*)\})? (gauge|counter|histogram): .*)");
    std::map<std::string, std::set<std::string>> series{{"up", {}}};
    for (const std::string& text : lines_of(read_page("tests/golden/metrics.txt"))) {
        std::smatch parts;
        if (!std::regex_match(text, parts, line)) continue;
        const std::string name = parts[1];
        const std::vector<std::string> list = comma_separated(parts[2]);
        const std::set<std::string> labels(list.begin(), list.end());
        if (parts[3] != "histogram") {
            series[name] = labels;
            continue;
        }
        series[name + "_sum"] = series[name + "_count"] = series[name + "_bucket"] = labels;
        series[name + "_bucket"].insert("le");
    }
    for (auto& [name, labels] : series) labels.insert({"job", "instance"});  // Prometheus adds them
    return series;
}

std::string family_of(const std::string& series) {
    return std::regex_replace(series, std::regex("_(bucket|sum|count)$"), "");
}

std::string foreign_names(const std::string& expression) {
    static const std::map<std::string, std::set<std::string>> exported = exported_series();
    std::string foreign;
    std::set<std::string> known;
    for (const Selector& selector : selectors_of(expression)) {
        const auto series = exported.find(selector.metric);
        if (series == exported.end()) {
            foreign += " " + selector.metric;
            continue;
        }
        known.insert(series->second.begin(), series->second.end());
        for (const std::string& label : selector.labels) {
            if (!series->second.contains(label)) foreign += " " + selector.metric + "{" + label + "}";
        }
    }
    for (const std::string& label : grouping_labels(expression)) {
        if (!known.contains(label)) foreign += " by (" + label + ")";
    }
    return foreign;
}

}  // namespace tests

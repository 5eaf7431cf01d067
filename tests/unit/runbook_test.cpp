// deploy/runbook.md names nothing that is not there: metrics, settings, log lines, sections.

#include "tests/support/catch.hpp"
#include "tests/support/markdown.hpp"
#include "tests/support/source_text.hpp"
#include "worker/config_keys.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <regex>
#include <set>
#include <string>

using namespace tests;

namespace {

const std::string& runbook() {
    static const std::string page = read_page("deploy/runbook.md");
    return page;
}

using Names = std::set<std::string>;

Names metric_families() {
    Names names;
    for (const std::string& line : lines_of(read_page("tests/golden/metrics.txt"))) {
        names.insert(line.substr(0, line.find_first_of("{ ")));
    }
    return names;
}

// Whatever is written as a literal of the program.
const Names& texts_of_sources() {
    static const Names texts = [] {
        Names all;
        for (const SourceFile& file : read_sources(TASK_WORKER_SOURCE_DIR, {"db", "queue", "jobs", "worker"})) {
            for (const std::string& text : string_literals(file.text)) all.insert(text);
        }
        return all;
    }();
    return texts;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
    return std::ranges::find(all, one) != all.end();
}

}  // namespace

TEST_CASE("every metric that the runbook names exists", "[deploy][runbook]") {
    Names known = metric_families();
    known.insert({"task_worker_owner", "task_worker_app", "task_worker_read"});  // roles
    const std::regex name("task_worker_[a-z_]+");
    int named = 0;
    for (std::sregex_iterator at(runbook().begin(), runbook().end(), name); at != std::sregex_iterator(); ++at) {
        INFO(at->str());
        CHECK(known.contains(at->str()));
        ++named;
    }
    CHECK(named > 20);
}

TEST_CASE("every setting that the runbook names exists", "[deploy][runbook]") {
    Names known;
    for (const auto& key : worker::config_keys()) known.insert(key.name);
    for (const auto& key : worker::handler_keys()) known.insert("handlers.*." + key.name);
    const std::regex setting("(database|worker|http|shutdown|retention|limits|log|handlers)\\.[a-z_*.]+");
    int named = 0;
    for (const std::string& span : code_spans(runbook())) {
        const std::string name = span.substr(0, span.find(':'));
        if (!std::regex_match(name, setting)) continue;
        INFO(name);
        CHECK(known.contains(name));
        ++named;
    }
    CHECK(named > 20);
}

TEST_CASE("every log line of the runbook is JSON with a message that the sources write", "[deploy][runbook]") {
    int lines = 0;
    for (const std::string& block : blocks_of(runbook(), "log")) {
        for (const std::string& line : lines_of(block)) {
            INFO(line);
            const auto fields = boost::json::parse(line).as_object();
            CHECK(texts_of_sources().contains(std::string(fields.at("message").as_string())));
            for (const auto& field : fields) {
                const std::string name = field.key();
                INFO(name);
                CHECK((name == "level" || name == "component" || name == "message" || texts_of_sources().contains(name))
                );
            }
            ++lines;
        }
    }
    CHECK(lines > 20);
}

TEST_CASE("every link of the runbook leads to a section", "[deploy][runbook]") {
    const auto anchors = heading_anchors(runbook());
    const auto links = linked_anchors(runbook());
    for (const std::string& link : links) {
        INFO(link);
        CHECK(contains(anchors, link));
    }
    // And every section but the first is in the table of what is seen first.
    for (const std::string& anchor : anchors) {
        if (anchor == "runbook" || anchor == "first-look") continue;
        INFO(anchor);
        CHECK(contains(links, anchor));
    }
}

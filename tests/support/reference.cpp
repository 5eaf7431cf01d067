#include "tests/support/reference.hpp"

#include "worker/cli/parse.hpp"
#include "worker/config_keys.hpp"

#include <fmt/format.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace tests {

namespace {

// Text in a cell of a table.
std::string cell(const std::string& text) {
    return std::regex_replace(text, std::regex("\\|"), "\\|");
}

std::string code(const std::string& text) {
    return text.empty() ? "" : "`" + cell(text) + "`";
}

template <class Target>
std::string table_of(const worker::Keys<Target>& keys, const std::string& prefix) {
    std::string text = "\n| setting | default | meaning |\n|---|---|---|\n";
    const Target defaults{};
    for (const worker::Key<Target>& key : keys) {
        const std::string choices = fmt::format("{}", fmt::join(key.choices, ", "));
        text += fmt::format(
            "| {} | {} | {}{} |\n",
            code(prefix + key.name),
            code(key.show(defaults)),
            cell(key.meaning),
            choices.empty() ? "" : " (" + choices + ")"
        );
    }
    return text;
}

}  // namespace

std::string reference_page(std::string_view title, std::string_view what) {
    return fmt::format(
        "# {}\n\n<!-- Not written by hand. UPDATE_GOLDEN=1 ./tests/run unit integration -- '[reference]' renews it. "
        "-->\n\n{}\n",
        title,
        what
    );
}

std::vector<MetricFamily> metric_families(const std::string& scrape) {
    std::map<std::string, MetricFamily> families;
    std::map<std::string, std::set<std::string>> labels;
    std::istringstream lines(scrape);
    std::smatch match;
    for (std::string line; std::getline(lines, line);) {
        if (std::regex_match(line, match, std::regex("# HELP (\\S+) (.*)"))) {
            families[match[1]].name = match[1];
            families[match[1]].meaning = match[2];
        } else if (std::regex_match(line, match, std::regex("# TYPE (\\S+) (.*)"))) {
            families[match[1]].type = match[2];
        } else if (std::regex_match(line, match, std::regex("([a-z_]+?)(_bucket|_sum|_count)?(\\{.*\\})? .*"))) {
            const std::string name = families.contains(match[1]) ? match[1].str() : match[1].str() + match[2].str();
            const std::string pairs = match[3];
            const std::regex label("([a-z]+)=\"");
            for (std::sregex_iterator one(pairs.begin(), pairs.end(), label), end; one != end; ++one) {
                if ((*one)[1] != "le") labels[name].insert((*one)[1]);
            }
        }
    }
    std::vector<MetricFamily> found;
    for (auto& [name, family] : families) {
        family.labels = fmt::format("{}", fmt::join(labels[name], ","));
        found.push_back(family);
    }
    return found;
}

std::string metrics_reference(const std::vector<MetricFamily>& families) {
    std::string text = reference_page(
        "Metrics",
        "`http.listen` (127.0.0.1:8090) serves them at `/metrics`, in the text format of Prometheus. What to do when "
        "one of\n"
        "them is odd: [deploy/runbook.md](../../deploy/runbook.md#first-look)."
    );
    text += "\n| metric | labels | type | meaning |\n|---|---|---|---|\n";
    for (const MetricFamily& family : families) {
        text += fmt::format(
            "| {} | {} | {} | {} |\n", code(family.name), code(family.labels), family.type, cell(family.meaning)
        );
    }
    return text;
}

std::string config_reference() {
    std::string text = reference_page(
        "Settings",
        "They stand in `config.yml`, whose [schema](../config.schema.json) editors know how to use. A flag (`--set\n"
        "worker.threads=4`) wins over an environment variable, that over `.env` (read in development), that over\n"
        "`config.yml`. Unknown keys are errors. Durations: a bare number is seconds; `500ms`, `30s`, `5m`, `1h`, `1d`. "
        "Sizes:\n"
        "bytes, `64KiB`, `1MiB`, `2GiB`. `task-worker check` shows the value in force of each, and where it came from."
    );
    text += table_of(worker::config_keys(), "");
    text += "\n## Environment variables\n\n| setting | variable |\n|---|---|\n";
    for (const auto& key : worker::config_keys()) {
        text += fmt::format("| {} | {} |\n", code(key.name), code(worker::environment_name(key.name)));
    }
    text += "\n## Queues\n\nNames are yours; the queue `default` is always there.\n";
    text += table_of(worker::queue_keys(), "queues.NAME.");
    text += "\n## Handlers\n\nWhat they mean, with examples: [handlers.md](../handlers.md).\n";
    return text + table_of(worker::handler_keys(), "handlers.KIND.");
}

std::string cli_reference() {
    std::string text = reference_page(
        "Commands",
        "What `--help` prints of each; `task-worker man` makes manual pages of the same, which `cmake --install` "
        "installs."
    );
    for (const worker::cli::CommandShape& command : worker::cli::command_shapes()) {
        std::vector<std::string> words = command.words;
        text += fmt::format("\n## task-worker{}{}\n", words.empty() ? "" : " ", fmt::join(words, " "));
        words.emplace_back("--help");
        std::string help = worker::cli::parse_arguments(words).error().text;
        help.erase(help.find_last_not_of('\n') + 1);
        text += "\n```text\n" + help + "\n```\n";
    }
    return text;
}

}  // namespace tests

// What people see: the real program on a terminal of 80 and of 160 columns, with and without colours.

#include "tests/support/catch.hpp"
#include "tests/support/cli_office.hpp"
#include "tests/support/on_terminal.hpp"
#include "worker/cli/terminal.hpp"

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

using namespace tests;
using worker::cli::shown_width;

namespace {

// What stood on the lines of the terminal, each state of a line that was redrawn for itself, without escape codes.
std::vector<std::string> lines_on(const std::string& output) {
    const std::string plain = std::regex_replace(output, std::regex("\x1b\\[[0-9;]*[mK]"), "");
    std::vector<std::string> lines;
    std::istringstream stream(std::regex_replace(plain, std::regex("\r"), "\n"));
    for (std::string line; std::getline(stream, line);) {
        if (!line.empty()) lines.push_back(line);
    }
    return lines;
}

void check_fits(const std::string& output, int columns) {
    for (const std::string& line : lines_on(output)) {
        INFO(line);
        CHECK(shown_width(line) <= static_cast<std::size_t>(columns));
    }
}

bool has_escapes(const std::string& output) {
    return output.find('\x1b') != std::string::npos;
}

bool has_colours(const std::string& output) {
    return output.find("\x1b[3") != std::string::npos;
}

const std::vector<Words>& what_is_shown() {
    static const std::vector<Words> all{
        {"check"},
        {"migrate", "status"},
        {"batch", "list"},
        {"batch", "show", "photos"},
        {"batch", "show", "ended"},
        {"batch", "show", "00000000-0000-0000-0000-000000000003"},
        {"batch", "watch", "ended"},
        {"job", "list"},
        {"job", "show", "128"},
        {"job", "show", "256"},
        {"job", "why", "128"},
        {"job", "why", "640"},
        {"queue", "list"},
        {"worker", "list"},
        {"dead", "list"},
        {"doctor"},
        {"--help"},
        {"enqueue", "--help"},
    };
    return all;
}

}  // namespace

TEST_CASE("what is shown fits a terminal of 80 and of 160 columns", "[worker][cli][terminal][scenario]") {
    const CliOffice office;
    const int columns = GENERATE(80, 160);
    CAPTURE(columns);
    for (const Words& words : what_is_shown()) {
        const Finished shown = run_command(on_terminal(office.shell.command(words), columns));
        INFO(words.front() << "\n" << shown.output);
        CHECK_FALSE(lines_on(shown.output).empty());
        check_fits(shown.output, columns);
    }
    const std::string jobs = run_command(on_terminal(office.shell.command({"job", "list"}), columns)).output;
    INFO(jobs);
    CHECK(holds(jobs, "…") == (columns == 80));  // the long kind, whole where there is room
    for (const std::string& line : lines_on(jobs)) {
        INFO(line);
        if (holds(line, "1234567808")) CHECK(line.ends_with("Z  in 850 ms"));
    }
    CHECK(holds(jobs, "1234567808"));
    CHECK_FALSE(holds(jobs, "the newest"));
    const Words three{"job", "list", "--limit", "3"};
    CHECK(holds(
        run_command(on_terminal(office.shell.command(three), columns)).output, "the newest 3; for more: --limit N"
    ));
    CHECK_FALSE(holds(office.shell.run(three).output, "the newest"));
    const std::string batches = run_command(on_terminal(office.shell.command({"batch", "list"}), columns)).output;
    INFO(batches);
    for (const char* last : {"1", "2", "3"}) {
        CHECK(holds(batches, "  00000000-0000-0000-0000-00000000000" + std::string(last) + "  "));
    }
    CHECK(holds(batches, "MADE") == (columns == 160));
    std::string name;
    for (int n = 0; n < 12; ++n) name += "größte ";
    const std::string id = "00000000-0000-0000-0000-000000000003";
    const std::string batch = run_command(on_terminal(office.shell.command({"batch", "show", id}), columns)).output;
    INFO(batch);
    CHECK(holds(batch, name + "  [") == (columns == 160));
    CHECK(holds(batch, "\nname ") == (columns == 80));
}

TEST_CASE("a list with a batch of a million jobs fits a terminal of 80 columns", "[worker][cli][terminal][scenario]") {
    const CliOffice office;
    office.database.psql(
        "insert into task_queue.batch_changes (batch_id, total, completed) "
        "values ('00000000-0000-0000-0000-000000000002', 999998, 999998)"
    );
    const std::string batches = run_command(on_terminal(office.shell.command({"batch", "list"}), 80)).output;
    INFO(batches);
    check_fits(batches, 80);
    CHECK(holds(batches, "ended    00000000-0000-0000-0000-000000000002  finished  1000000/1000000       1"));
}

TEST_CASE("colours are for terminals, unless none are wanted", "[worker][cli][terminal][scenario]") {
    const CliOffice office;
    const auto shown = [&](Words words, const std::map<std::string, std::string>& variables) {
        Command command = office.shell.command(std::move(words));
        command.environment.insert(variables.begin(), variables.end());
        return run_command(on_terminal(command, 80)).output;
    };
    for (const Words& words : {Words{"batch", "show", "photos"}, {"batch", "watch", "ended"}, {"doctor"}}) {
        INFO(words.front());
        CHECK(has_colours(shown(words, {})));
        CHECK_FALSE(has_escapes(shown(words, {{"NO_COLOR", "1"}})));
        CHECK_FALSE(has_escapes(shown(words, {{"TERM", "dumb"}})));
        Words plain = words;
        plain.emplace_back("--no-color");
        CHECK_FALSE(has_escapes(shown(plain, {})));
    }
    for (const Words& words : what_is_shown()) {
        const Finished elsewhere = office.shell.run(words);
        INFO(words.front() << "\n" << elsewhere.output);
        CHECK_FALSE(has_escapes(elsewhere.output + elsewhere.errors));
        CHECK(elsewhere.output.find('\r') == std::string::npos);
    }
}

TEST_CASE("a bar is redrawn in its line, which fits, with and without colours", "[worker][cli][terminal][scenario]") {
    const CliOffice office;
    const int columns = GENERATE(80, 160);
    const bool colours = GENERATE(true, false);
    CAPTURE(columns, colours);
    Command watch = office.shell.command({"batch", "watch", "photos"});
    if (!colours) watch.environment["NO_COLOR"] = "1";
    Child watching(on_terminal(watch, columns));
    watching.wait_for("2/3 66 %");
    office.database.psql(R"sql(
        insert into task_queue.batch_changes (batch_id, total, completed)
        values ('00000000-0000-0000-0000-000000000001', 1000, 500)
    )sql");
    watching.wait_for("502/1003 50 %");
    office.database.psql(R"sql(
        insert into task_queue.batch_changes (batch_id, completed)
        values ('00000000-0000-0000-0000-000000000001', 501);
        delete from task_queue.bundles where batch_id = '00000000-0000-0000-0000-000000000001';
        select task_queue.seal_batch('00000000-0000-0000-0000-000000000001');
        select task_queue.fold_batch_changes(0, 1000)
    )sql");
    const Finished watched = watching.wait();
    INFO(watched.output);
    CHECK(watched.code == 1);
    CHECK(has_escapes(watched.output) == colours);
    check_fits(watched.output, columns);
    const auto is_bar = [](const std::string& line) { return holds(line, "photos  ["); };
    CHECK(std::ranges::count_if(lines_on(watched.output), is_bar) >= 3);
    CHECK(holds(watched.output, "\ntask-worker: 2 of 1003 jobs failed: see"));
    const std::string next = "task-worker batch show 00000000-0000-0000-0000-000000000001";
    CHECK(lines_on(watched.output).back().ends_with(next));
}

TEST_CASE(
    "long work shows on a terminal how far it is, unless it is to be quiet", "[worker][cli][terminal][scenario]"
) {
    struct Case {
        Words words;
        const char* shown;
    };
    const Case one = GENERATE(
        Case{{"dead", "purge", "--all", "--yes"}, "purging  2 dead letters"},
        Case{{"dead", "redrive", "--all"}, "redriving  2 jobs"},
        Case{{"job", "cancel", "--kind", "echo", "--yes"}, "cancelling  2 jobs"},
        Case{{"batch", "cancel", "photos", "--yes"}, "cancelling  1 job"}
    );
    const bool quiet = GENERATE(false, true);
    CAPTURE(one.shown, quiet);
    const CliOffice office;
    Words words = one.words;
    if (quiet) words.emplace_back("--quiet");
    const Finished shown = run_command(on_terminal(office.shell.command(words), 80));
    INFO(shown.output);
    CHECK(shown.code == 0);
    CHECK(holds(shown.output, one.shown) == !quiet);
}

TEST_CASE("the bar of a file that is enqueued fits", "[worker][cli][terminal][scenario]") {
    const CliOffice office;
    std::string jobs;
    for (int n = 0; n < 20'000; ++n) jobs += "{\"n\": " + std::to_string(n) + "}\n";
    office.shell.folder.write("a-file-with-a-name-that-is-rather-long-for-a-line-of-a-terminal-of-eighty.ndjson", jobs);
    const Words words{
        "enqueue",
        "echo",
        "--batch",
        std::string(90, 'b'),
        "--file",
        "a-file-with-a-name-that-is-rather-long-for-a-line-of-a-terminal-of-eighty.ndjson"
    };
    const Finished shown = run_command(on_terminal(office.shell.command(words), 80));
    INFO(shown.output);
    CHECK(shown.code == 0);
    CHECK(holds(shown.output, "\x1b[K"));
    std::vector<std::string> lines = lines_on(shown.output);
    REQUIRE(lines.size() > 1);
    lines.pop_back();  // the answer has the batch's whole name
    for (const std::string& line : lines) {
        INFO(line);
        CHECK(shown_width(line) <= 80);
    }
}

// The commands and the SQL of README.md, each as it stands there, with its config.yml, its handler and a worker.

#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/database.hpp"
#include "tests/support/markdown.hpp"
#include "tests/support/temporary_folder.hpp"

#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace tests;

namespace {

std::string only_block(const std::string& language) {
    return blocks_of(read_page("README.md"), language).front();
}

bool is_ours(const std::string& line) {
    return line.starts_with("task-worker ") || line.starts_with("enqueue ");
}

// A folder with what README shows, and what its commands speak of.
struct Office {
    TestDatabase database;
    TemporaryFolder folder;

    Office() {
        folder.write("config.yml", only_block("yaml") + "  count-words: {exec: [wc, -w]}\n  report: {exec: [cat]}\n");
        folder.write("receipts.py", only_block("python"));
        folder.write("orders.ndjson", "{\"order\": 8}\n{\"order\": 9}\n");
        std::filesystem::create_directory(folder.path() + "/documents");
        folder.write("documents/one", "one two three");
        folder.write("documents/two", "four");
        database.psql("create table orders (id integer, email text)");
    }
    Command command(const std::string& line) const {
        const std::string here = std::regex_replace(line, std::regex("/usr/share/doc/bash"), "documents");
        const std::string programs = std::filesystem::path(TASK_WORKER_BINARY).parent_path();
        return {
            .words = {"/bin/sh", "-e", "-c", "exec " + here},
            .environment =
                {{"DATABASE_URL", database.url()},
                 {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"},
                 {"PATH", programs + ":" + std::getenv("PATH")}},
            .folder = folder.path()
        };
    }
};

}  // namespace

TEST_CASE("the commands of README work", "[scenario][readme]") {
    const Office office;
    Child worker(office.command("task-worker run"));
    worker.wait_for("\"ready\"");
    int lines = 0;
    for (const std::string& line : indented_lines(read_page("README.md"))) {
        if (!is_ours(line)) continue;
        INFO(line);
        ++lines;
        if (line.starts_with("task-worker run")) {
            Child another(office.command(line));
            another.wait_for("\"ready\"");
            another.signal(SIGTERM);
            CHECK(another.wait().code == 0);
            continue;
        }
        const Finished finished = run_command(office.command(line));
        INFO(finished.output << finished.errors);
        CHECK(finished.code == 0);
    }
    CHECK(lines >= 9);
    const std::string sent = "kind = 'send-receipt' and state = 'completed'";
    office.database.await("select count(*) from task_queue.jobs where " + sent, "3");
    CHECK(
        office.database.value(
            "select count(*) from task_queue.jobs j, task_queue.job(j.id) d where j.kind = 'send-receipt' "
            "and d.result ->> 'sent' = 'true'"
        ) == "3"
    );
    worker.signal(SIGTERM);
    CHECK(worker.wait().code == 0);
}

TEST_CASE("the completion line of README works", "[scenario][readme]") {
    const std::string line = "source <(task-worker completion bash)";
    REQUIRE(read_page("README.md").find("`" + line + "`") != std::string::npos);
    const Office office;
    Command bash = office.command("");
    bash.words = {"/bin/bash", "-e", "-c", line + "\ncomplete -p task-worker enqueue"};
    const Finished finished = run_command(bash);
    INFO(finished.errors);
    CHECK(finished.code == 0);
    CHECK(finished.output == "complete -F _task_worker task-worker\ncomplete -F _task_worker enqueue\n");
}

TEST_CASE("the SQL of README works", "[scenario][readme]") {
    const Office office;
    const auto blocks = blocks_of(read_page("README.md"), "sql");
    REQUIRE(blocks.size() == 2);
    CHECK_NOTHROW(office.database.psql(blocks[0]));
    CHECK(office.database.value("select count(*) from task_queue.jobs where state = 'scheduled'") == "1");
    for (const std::string& line : lines_of(blocks[1])) {
        INFO(line);
        const std::string id = office.database.value("select coalesce(max(id::text), '') from task_queue.batches");
        CHECK_NOTHROW(office.database.psql(std::regex_replace(line, std::regex("…"), id)));
    }
    CHECK(
        office.database.psql(
            "select b.name, b.state, s.total from task_queue.batches b, lateral task_queue.batch_status(b.id) s"
        ) == TextRows{{"receipts", "sealed", "1"}}
    );
}

TEST_CASE("README's other commands begin with a script that there is", "[scenario][readme]") {
    // Not run here: they install packages, build, or take minutes. What runs them in small: DECISIONS.md, 88.
    constexpr std::array<std::string_view, 7> others{
        "./deploy/quickstart",
        "./tests/run",
        "cmake --preset",
        "tests/bench/",
        "for measure in",
        "for jobs in",
        "./tests/"
    };
    for (const std::string& line : indented_lines(read_page("README.md"))) {
        const bool message = line.starts_with("no database session") || line.starts_with("the longest holder") ||
                             line.starts_with("(DB_");
        if (is_ours(line) || message) continue;
        INFO(line);
        CHECK(std::ranges::any_of(others, [&](std::string_view start) { return line.starts_with(start); }));
        std::smatch script;
        if (std::regex_search(line, script, std::regex("(?:\\./)?((?:deploy|tests)/[a-z/]+)"))) {
            CHECK(std::filesystem::exists(std::string(TASK_WORKER_SOURCE_DIR "/") + script[1].str()));
        }
    }
}

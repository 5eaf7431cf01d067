// `check`: what is wrong comes first, and once.

#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/shell.hpp"

#include <string>

using namespace tests;

namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

// What a terminal shows: both outputs in the order in which they were written.
std::string screen(const Shell& shell, const std::string& arguments) {
    Command command = shell.command({});
    command.words = {"/bin/sh", "-c", std::string(TASK_WORKER_BINARY) + " check " + arguments + " 2>&1"};
    return run_command(command).output;
}

}  // namespace

TEST_CASE("check says the budget's sentence once, and how many connections are too many", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    const std::string fits = screen(shell, "");
    CHECK(count_of(fits, "one more worker with this configuration takes 32") == 1);
    CHECK(count_of(fits, "to spare") == 1);

    // The live worker alone is beyond the limit.
    database.psql(
        "insert into task_queue.workers (connections, slots, pid, host, version, kinds, queues) "
        "values (40, 1, 1, 'h', 'v', '{echo}', '{default}')"
    );
    const int reserved = std::stoi(database.value("show superuser_reserved_connections"));
    const std::string overrun = screen(shell, "--set database.max_connections=20");
    INFO(overrun);
    CHECK(count_of(overrun, "takes 32, " + std::to_string(40 + 32 + reserved - 20) + " too many for") == 1);
    CHECK(count_of(overrun, "too many") == 1);
    CHECK_FALSE(holds(overrun, "free"));
    CHECK(count_of(screen(shell, "--set database.max_connections=20 --set database.budget=warn"), "too many") == 1);
}

TEST_CASE("check shows no password, whether the database answers or not", "[worker][cli][scenario]") {
    const Shell shell("postgresql://postgres:hunter2@127.0.0.1:1/d");
    const std::string arguments = GENERATE(as<std::string>(), "", "--json");
    const std::string shown = screen(shell, arguments);
    INFO(shown);
    CHECK(holds(shown, "postgres:***@127.0.0.1"));
    CHECK_FALSE(holds(shown, "hunter2"));
}

TEST_CASE("check prints problems before the settings", "[worker][cli][scenario]") {
    const TestDatabase database;
    const Shell shell(database.url());
    const auto first = [&](const std::string& arguments, const std::string& text) {
        const std::string shown = screen(shell, arguments);
        INFO(shown);
        CHECK(holds(shown.substr(0, shown.find("\n\nKEY ")), text));
        CHECK(holds(shown, "\n\nKEY "));
        CHECK(count_of(shown, text) == 1);
    };
    first("--set database.max_connections=5", "too many for database.max_connections (5)");
    first("--url postgresql://postgres@127.0.0.1:1/d", "the database cannot be reached");
    first("--set worker.concurrency=many", "\"many\" is not a whole number");
    database.psql("insert into task_queue.migrations (version, name, checksum) values (9999, '9999_later', 'x')");
    first("", "newer than this task-worker");

    const Finished json = shell.run({"check", "--json"});
    CHECK(json.code == 4);
    CHECK(json.output.starts_with("{\"problems\": [\"the database's schema is newer"));
}

TEST_CASE(
    "check notes programs that could not start, and shows what handlers are configured", "[worker][cli][scenario]"
) {
    const TestDatabase database;
    const Shell shell(database.url());
    shell.folder.write("script", "");
    shell.folder.write("webhook.secret", "whsec_" + std::string(32, 'A'));
    shell.folder.write(
        "config.yml",
        "handlers:\n"
        "  a: {exec: [no-such-program], pass_env: [HOME]}\n"
        "  b: {exec: [./script], mode: stream}\n"
        "  c: {exec: [/no/such/file]}\n"
        "  d: {exec: [sh]}\n"
        "  e: {http: 'http://127.0.0.1/x', secret_file: webhook.secret}\n"
    );
    const Finished checked = shell.run({"check"});
    INFO(checked.output << checked.errors);
    CHECK(checked.code == 0);
    CHECK(holds(checked.output, "note: handlers.a.exec cannot start: no executable file no-such-program in PATH ("));
    CHECK(holds(
        checked.output, "note: handlers.b.exec cannot start: " + shell.folder.path() + "/./script: Permission denied"
    ));
    CHECK(holds(checked.output, "note: handlers.c.exec cannot start: /no/such/file: No such file or directory"));
    CHECK(count_of(checked.output, "cannot start") == 3);
    CHECK(holds(checked.output, "handlers.b.mode"));
    CHECK(holds(checked.output, "http://127.0.0.1/x"));
    CHECK(holds(checked.output, "webhook.secret"));
    CHECK_FALSE(holds(checked.output, "AAAA"));
}

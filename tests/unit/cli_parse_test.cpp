// Arguments into options, and what is said of wrong ones.

#include "tests/support/catch.hpp"
#include "worker/cli/parse.hpp"

#include <string>
#include <variant>
#include <vector>

using namespace worker::cli;
using namespace std::chrono_literals;

namespace {

using Words = std::vector<std::string>;

template <class Options>
Options parsed(const Words& words) {
    const auto result = parse_arguments(words);
    if (!result) FAIL(result.error().text);
    return std::get<Options>(result->command);
}

NoInvocation refused(const Words& words) {
    const auto result = parse_arguments(words);
    REQUIRE(result.has_error());
    return result.error();
}

}  // namespace

TEST_CASE("parse_arguments reads an enqueue command with everything", "[worker][cli]") {
    const auto options = parsed<EnqueueCommand>(
        {"enqueue", "send-email", "--args",         "{}",     "--queue",      "mail",      "--priority",    "0",
         "--delay", "5m",         "--max-attempts", "3",      "--unique-key", "u",         "--enqueue-key", "e",
         "-b",      "news",       "--on-finish",    "report", "--open",       "--new-kind"}
    );
    CHECK(options.kind == "send-email");
    CHECK(options.args == "{}");
    CHECK(options.queue == "mail");
    CHECK(options.priority == 0);
    CHECK(options.delay == 5min);
    CHECK(options.max_attempts == 3);
    CHECK(options.unique_key == "u");
    CHECK(options.enqueue_key == "e");
    CHECK(options.batch == "news");
    CHECK(options.on_finish == "report");
    CHECK(options.open);
    CHECK(options.new_kind);
    CHECK_FALSE(options.watch);
}

TEST_CASE("parse_arguments takes args and paths as they are", "[worker][cli]") {
    for (const char* args : {"[1,2]", "{}", "-5", "", "\"--\""}) {
        INFO(args);
        CHECK(parsed<EnqueueCommand>({"enqueue", "k", "--args", args}).args == args);
    }
    CHECK(parsed<EnqueueCommand>({"enqueue", "k", "a", "b c", "--", "-d"}).paths == Words{"a", "b c", "-d"});
    CHECK(parsed<EnqueueCommand>({"enqueue", "k", "--file", "-"}).file == "-");
}

TEST_CASE("parse_arguments lets kinds and files be called like commands", "[worker][cli]") {
    const auto options = parsed<EnqueueCommand>({"enqueue", "check", "run", "batch"});
    CHECK(options.kind == "check");
    CHECK(options.paths == Words{"run", "batch"});
}

TEST_CASE("parse_arguments takes the global options before and after the command", "[worker][cli]") {
    const auto result = parse_arguments(
        {"--json",
         "batch",
         "--set",
         "worker.threads=4",
         "show",
         "photos",
         "--config",
         "c.yml",
         "--set",
         "log.level=a=b",
         "--url",
         "postgresql://h/d",
         "-q"}
    );
    REQUIRE(result.has_value());
    const Global& global = result->global;
    CHECK(global.json);
    CHECK(global.quiet);
    CHECK(global.config_file == "c.yml");
    CHECK(global.settings.at("worker.threads") == "4");
    CHECK(global.settings.at("log.level") == "a=b");
    CHECK(global.settings.at("database.url") == "postgresql://h/d");
    CHECK(std::get<BatchCommand>(result->command).batch == "photos");
    CHECK(std::get<BatchCommand>(result->command).action == BatchCommand::Action::show);
}

TEST_CASE("parse_arguments tells subcommands apart", "[worker][cli]") {
    CHECK(parsed<MigrateCommand>({"migrate", "down", "--to", "0"}).to == 0);
    CHECK(parsed<DevCommand>({"dev"}).action == DevCommand::Action::start);
    CHECK(parsed<DevCommand>({"dev", "stop", "--data", "d"}).action == DevCommand::Action::stop);
    CHECK(parsed<DevCommand>({"dev", "psql", "--", "-c", "select 1"}).to_psql == Words{"-c", "select 1"});
    CHECK(parsed<JobCommand>({"job", "show", "128"}).job == queue::JobId{128});
    CHECK(parsed<DeadCommand>({"dead", "redrive", "1", "2"}).jobs.size() == 2);
    CHECK(parsed<QueueCommand>({"queue", "pause", "mail"}).queue == "mail");
    CHECK(std::holds_alternative<WorkerCommand>(parse_arguments({"worker", "list"})->command));
}

TEST_CASE("parse_arguments refuses wrong arguments with the way out", "[worker][cli]") {
    struct Case {
        Words words;
        const char* text;
    };
    const Case cases[] = {
        {{}, "which command? One of run, dev"},
        {{"batch"}, "which command? One of list, show"},
        {{"enqeue", "k"}, "unknown command \"enqeue\": did you mean enqueue?"},
        {{"batch", "shwo", "x"}, "unknown command \"shwo\": did you mean show?"},
        {{"enqueue", "k", "--bacth", "n"}, "unknown option \"--bacth\": did you mean --batch?"},
        {{"enqueue", "k", "--jsn"}, "did you mean --json?"},
        {{"job", "list", "--state", "runing"}, "--state: \"runing\": did you mean running?"},
        {{"batch", "list", "--state", "asleep"}, "--state: \"asleep\" is none of open, sealed, cancelled, finished"},
        {{"job", "list", "--kind", "a", "--kind", "b"}, "--kind may be given once only: see task-worker job list --help"
        },
        {{"check", "more"}, "unexpected argument \"more\""},
        {{"check", "--", "-x"}, "unexpected argument \"-x\""},
        {{"enqueue", "k", "--args", "{}", "--", "-x"}, "unexpected argument \"-x\""},
        {{"enqueue"}, "KIND"},
        {{"enqueue", "k", "--args"}, "--args"},
        {{"enqueue", "k", "--args", "{}", "--file", "f"}, "--args"},
        {{"enqueue", "k", "f", "--file", "f"}, "FILES"},
        {{"enqueue", "k", "--priority", "12"}, "--priority \"12\" is not a whole number from 0 to 9"},
        {{"enqueue", "k", "--delay", "soon"}, "--delay \"soon\" is not a duration"},
        {{"enqueue", "k", "--at", "soon"}, "--at \"soon\" is not a time such as"},
        {{"enqueue", "k", "--delay", "1s", "--at", "2026-01-01"}, "--delay"},
        {{"enqueue", "k", "--open"}, "--batch"},
        {{"--set", "worker", "check"}, "--set \"worker\" is not KEY=VALUE"},
        {{"job", "show", "x"}, "job \"x\" is not a job's number"},
        {{"job", "show"}, "JOB"},
        {{"dead", "show"}, "JOBS"},
    };
    for (const auto& [words, text] : cases) {
        const NoInvocation reason = refused(words);
        INFO(reason.text);
        CHECK(reason.code == 2);
        CHECK(reason.text.find(text) != std::string::npos);
        CHECK(reason.text.find(" --help") != std::string::npos);
    }
}

TEST_CASE("parse_arguments answers help and version with exit code 0", "[worker][cli]") {
    CHECK(refused({"--version"}).text.starts_with("task-worker "));
    CHECK(refused({"enqueue", "--version"}).code == 0);
    for (const Words& words :
         {Words{"--help"},
          {"run", "--help"},
          {"dev", "--help"},
          {"check", "--help"},
          {"migrate", "--help"},
          {"enqueue", "--help"},
          {"batch", "--help"},
          {"job", "--help"},
          {"queue", "--help"},
          {"worker", "--help"},
          {"dead", "--help"}}) {
        const NoInvocation help = refused(words);
        INFO(words.front());
        CHECK(help.code == 0);
        CHECK(help.text.find("Examples:") != std::string::npos);
    }
    CHECK(refused({"batch", "show", "--help"}).text.find("task-worker batch show") != std::string::npos);
}

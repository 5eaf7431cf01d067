// The log in a file: logrotate moves it, SIGHUP opens a new one, and nothing is lost.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/shop.hpp"

#include <csignal>
#include <filesystem>
#include <set>
#include <string>

using namespace tests;
using Catch::Contains;
namespace fs = std::filesystem;
namespace json = boost::json;

TEST_CASE("logrotate moves the log of a running worker, and no line is lost", "[scenario][logs][setting]") {
    Shop shop("echo line $ARG_N");
    const fs::path folder = fs::path(shop.folder.path()) / "log";
    fs::create_directory(folder);
    fs::permissions(folder, fs::perms{0755});
    const fs::path log = folder / "worker.log";
    const Process worker(
        TASK_WORKER_BINARY,
        {"run", "--config", shop.folder.path() + "/config.yml"},
        {{"DATABASE_URL", shop.database.url()},
         {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"},
         {"TASK_WORKER_LOG_FILE", log}}
    );
    // The file as it is shipped, for this folder; systemctl as systemd's, for this worker.
    std::string rules = text_of(TASK_WORKER_SOURCE_DIR "/deploy/logrotate/task-worker");
    const std::string place = "/var/log/task-worker";
    for (std::size_t at = rules.find(place); at != std::string::npos;
         at = rules.find(place, at + folder.string().size()))
        rules.replace(at, place.size(), folder);
    shop.folder.write("logrotate.conf", rules);
    shop.folder.write(
        "systemctl",
        "#!/bin/sh\n[ \"$*\" = 'kill --kill-who=main --signal=HUP task-worker.service' ] && kill -HUP " +
            std::to_string(worker.pid()) + "\n"
    );
    fs::permissions(shop.folder.path() + "/systemctl", fs::perms{0755});
    fs::permissions(shop.folder.path() + "/logrotate.conf", fs::perms{0644});
    constexpr int turns = 4;
    constexpr int jobs = 100;
    for (int turn = 0; turn < turns; ++turn) {
        shop.enqueue("work", jobs, "json_build_object('n', n + " + std::to_string(turn * jobs) + ")");
        shop.await(
            "select count(*) > " + std::to_string(turn * jobs) + " from task_queue.jobs where state = 'completed'", "t"
        );
        // In the midst of the jobs.
        const Finished rotated = run_command(
            {.words =
                 {"/usr/sbin/logrotate",
                  "--force",
                  "--state",
                  shop.folder.path() + "/state",
                  shop.folder.path() + "/logrotate.conf"},
             .environment = {{"PATH", shop.folder.path() + ":/usr/bin:/bin"}}}
        );
        INFO(rotated.errors);
        REQUIRE(rotated.code == 0);
        await_text(log, "the log goes on in a new file");
    }
    shop.await_finished(turns * jobs);
    worker.signal(SIGTERM);
    await_text(log, "\"stopped\"");
    std::multiset<std::string> seen;
    int files = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
        ++files;
        const Finished whole = run_command({.words = {"/usr/bin/zcat", "-f", entry.path()}});
        for (const json::object& line : lines_in(whole.output))
            seen.insert(std::string(line.at("message").as_string()));
    }
    CHECK(files == turns + 1);
    for (int n = 1; n <= turns * jobs; ++n) {
        INFO(n);
        CHECK(seen.count("line " + std::to_string(n)) == 1);
    }
    CHECK(worker.output().empty());
    CHECK((fs::status(log).permissions() & fs::perms::others_all) == fs::perms::none);
}

TEST_CASE(
    "log.file: one that cannot be opened is refused, and one that goes away is said", "[scenario][logs][setting]"
) {
    Shop shop(":");
    const auto run = [&](const std::string& file) -> Command {
        return {
            .words = {TASK_WORKER_BINARY, "run", "--config", shop.folder.path() + "/config.yml"},
            .environment =
                {{"DATABASE_URL", shop.database.url()},
                 {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"},
                 {"TASK_WORKER_LOG_FILE", file}}
        };
    };
    const Finished refused = run_command(run("nowhere/worker.log"));
    CHECK(refused.code == 2);
    CHECK_THAT(refused.errors, Contains("log.file (TASK_WORKER_LOG_FILE)") && Contains("nowhere/worker.log"));
    // Its folder is moved: SIGHUP finds no place for a new file, and the old one goes on.
    const std::string before = shop.folder.path() + "/before";
    fs::create_directory(before);
    const Command command = run("before/worker.log");
    Child worker(command);
    await_text(before + "/worker.log", "\"ready\"");
    fs::rename(before, shop.folder.path() + "/after");
    worker.signal(SIGHUP);
    await_text(shop.folder.path() + "/after/worker.log", "the log goes on in its old file");
    worker.signal(SIGTERM);
    CHECK(worker.wait().code == 0);
    CHECK_THAT(text_of(shop.folder.path() + "/after/worker.log"), Contains("\"stopped\""));
}

TEST_CASE("a log on a full disk goes to standard error", "[scenario][logs]") {
    Shop shop(":");
    WorkerProcess worker(shop.database.url(), {{"TASK_WORKER_LOG_FILE", "/dev/full"}}, shop.arguments());
    worker.signal(SIGTERM);
    worker.wait_for_line("\"stopped\"");
    CHECK(worker.wait_exit() == 0);
}

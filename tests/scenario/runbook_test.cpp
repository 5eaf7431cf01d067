// The commands of deploy/runbook.md, each as it stands there, on a database with a worker and something to look at.

#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/database.hpp"
#include "tests/support/markdown.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <stdexcept>
#include <string>

using namespace tests;

namespace {

// 128 waits in the queue mail, which is paused; 256 is a dead letter; photos is an open batch.
constexpr const char* what_is_there = R"sql(
    insert into task_queue.queues (name, paused) values ('mail', true);
    select task_queue.enqueue('echo', '{"text": "hi"}', queue => 'mail');
    select task_queue.enqueue('echo', '{"sleep_ms": "long"}');
    select task_queue.create_batch(name => 'photos');
)sql";

struct Office {
    TestDatabase database;
    TemporaryFolder folder;
    WorkerProcess worker;

    Office() : worker((database.psql(what_is_there), database.url())) {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (database.value("select count(*) from task_queue.dead_jobs where id = 256") == "0") {
            if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("no dead letter came of job 256");
        }
    }
    Finished run(const std::string& line) const {
        const std::string here = "127.0.0.1:" + std::to_string(worker.http_port());
        const std::string programs = std::filesystem::path(TASK_WORKER_BINARY).parent_path();
        return run_command(
            {.words = {"/bin/sh", "-e", "-c", std::regex_replace(line, std::regex("127\\.0\\.0\\.1:8090"), here)},
             .environment = {{"DATABASE_URL", database.url()}, {"PATH", programs + ":" + std::getenv("PATH")}},
             .folder = folder.path()}
        );
    }
};

}  // namespace

TEST_CASE("the shell commands of the runbook work", "[scenario][runbook]") {
    const Office office;
    int lines = 0;
    for (const std::string& block : blocks_of(read_page("deploy/runbook.md"), "sh")) {
        for (const std::string& line : lines_of(block)) {
            const Finished finished = office.run(line);
            INFO(line << "\n" << finished.output << finished.errors);
            CHECK(finished.code == 0);
            ++lines;
        }
    }
    CHECK(lines > 20);
}

TEST_CASE("the SQL of the runbook runs", "[scenario][runbook]") {
    const Office office;
    int blocks = 0;
    for (const std::string& block : blocks_of(read_page("deploy/runbook.md"), "sql")) {
        INFO(block);
        CHECK_NOTHROW(office.database.psql(block));
        ++blocks;
    }
    CHECK(blocks >= 5);
}

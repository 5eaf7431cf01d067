// deploy/Dockerfile and that of deploy/compose: built, and run as the compose file has it, beside the example's API.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/containers.hpp"
#include "tests/support/example_shop.hpp"
#include "tests/support/markdown.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/temporary_folder.hpp"
#include "worker/version.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

using namespace tests;
using Catch::Contains;

namespace {

// The command of the Dockerfile's stage that compiles.
std::string compile_command() {
    const std::string text = read_page("deploy/Dockerfile");
    const std::size_t start = text.find("RUN cmake ");
    REQUIRE(start != std::string::npos);
    return text.substr(start + 4, text.find("\n\n", start) - start - 4);
}

}  // namespace

// Its packages are those of `deploy/dependencies build`, with which this test was built; so here only the program is
// built as there, of the files that come there.
TEST_CASE("what the image's first stage is given is all that its program is built of", "[deploy][image]") {
    if (const std::string why = why_no_containers(); !why.empty()) return skip(why);
    const TemporaryFolder folder;
    const auto run = [&](std::vector<std::string> words, const std::string& where) {
        std::map<std::string, std::string> environment;
        for (const char* const name : {"CCACHE_DIR", "LANG", "LC_ALL"}) {  // by which ccache knows a file again
            if (const char* value = std::getenv(name)) environment[name] = value;
        }
        const Finished done = run_command({
            .words = std::move(words),
            .environment = environment,
            .folder = where,
            .limit = std::chrono::seconds(900),  // where ccache knows nothing
        });
        INFO(done.output << done.errors);
        REQUIRE(done.code == 0);
        return done.output;
    };
    const std::string given = folder.path() + "/given";
    run({TASK_WORKER_SOURCE_DIR "/tests/deploy/image", "--context", given}, "");
    CHECK_FALSE(std::filesystem::exists(given + "/tests"));
    const std::string destination = "DESTDIR=/image";
    std::string command = compile_command();
    REQUIRE_THAT(command, Contains(destination));
    command.replace(command.find(destination), destination.size(), "DESTDIR=" + folder.path() + "/image");
    run({"/bin/sh", "-c", command}, given);
    CHECK(
        run({folder.path() + "/image/usr/bin/task-worker", "--version"}, "") ==
        fmt::format("task-worker {}\n", worker::version)
    );
}

// One test case: the images take most of its time.
TEST_CASE(
    "the image runs jobs of the API beside it, as nobody, and writes nowhere but in its /tmp", "[deploy][image]"
) {
    if (const std::string why = why_no_containers(); !why.empty()) return skip(why);
    const Containers containers;
    const std::string image = fmt::format("localhost/task-worker:{}", worker::version);
    const auto facts = boost::json::parse(containers.podman({"image", "inspect", image}).output).as_array().at(0);
    CHECK(facts.at("User") == "65532:65532");
    const Finished version = containers.podman(
        {"run",
         "--rm",
         "--pull=never",
         "--no-healthcheck",
         "--network=host",
         "--ulimit=nofile=1024:1024",
         "--ulimit=nproc=4096:4096",
         image,
         "--version"}
    );
    constexpr int podman_failed = 125;
    if (version.code == podman_failed) return skip("podman runs no containers here: " + version.errors);
    INFO(version.errors);
    CHECK(version.output == fmt::format("task-worker {}\n", worker::version));

    const Finished measured = run_command(
        {.words = {TASK_WORKER_SOURCE_DIR "/tests/bench/run", "image", "--build", "/", "--store", containers.store()}}
    );
    INFO(measured.errors);
    CHECK(measured.code == 0);
    CHECK(boost::json::parse(measured.output).at("added_mb").to_number<double>() < 60);

    ExampleShop shop;
    for (const char* const service : {"pgbouncer", "api"}) containers.build(shop.compose(), service);
    shop.open([&](const std::string& name) {
        Process::Environment variables;
        if (name.starts_with("worker")) {
            variables["TASK_WORKER_HTTP_LISTEN"] = fmt::format("127.0.0.1:{}", shop.worker_port(name));
        }
        return containers.start(shop.compose(), name, variables);
    });
    shop.order();

    const auto inside = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"exec", "worker-1"});
        return containers.podman(words);
    };
    CHECK(inside({"id", "-u"}).output == "65532\n");
    CHECK_THAT(inside({"touch", "/etc/task-worker/here"}).errors, Contains("Read-only file system"));
    CHECK(inside({"touch", "/tmp/here"}).code == 0);

    // The health check, as an engine that runs it would.
    std::vector<std::string> check;
    for (const auto& word : facts.at("Healthcheck").at("Test").as_array()) check.emplace_back(word.as_string());
    REQUIRE(check.front() == "CMD");
    check.erase(check.begin());
    CHECK(inside(check).code == 0);
    shop.service("worker-2").signal(SIGTERM);
    CHECK(shop.service("worker-2").wait_exit() == 0);
    std::vector<std::string> elsewhere{"env", fmt::format("TASK_WORKER_HTTP_LISTEN=:{}", shop.worker_port("worker-2"))};
    elsewhere.insert(elsewhere.end(), check.begin(), check.end());
    CHECK(inside(elsewhere).code != 0);

    shop.order();
    shop.service("worker-1").signal(SIGTERM);
    CHECK(shop.service("worker-1").wait_exit() == 0);
}

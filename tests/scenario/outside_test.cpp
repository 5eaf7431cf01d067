// A project outside of this one, against the installed package: tests/outside.
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/markdown.hpp"
#include "tests/support/process.hpp"
#include "tests/support/shop.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <string>

using namespace tests;

namespace {

// What this build installs, and projects that are built against it.
struct Outside {
    TemporaryFolder folder;
    const std::string prefix = folder.path() + "/installed";
    const std::string build = folder.path() + "/build";

    // By the command that README has, with other folders.
    Outside() {
        const std::string line = "cmake --install build/release";
        REQUIRE(read_page("README.md").find("`" + line + "`") != std::string::npos);
        const std::string here = std::regex_replace(line, std::regex("build/release"), TASK_WORKER_BUILD_DIR);
        const Finished done = run_command({.words = {"/bin/sh", "-c", here + " --prefix " + prefix}});
        INFO(done.output << done.errors);
        REQUIRE(done.code == 0);
    }

    Finished try_cmake(std::vector<std::string> words) const {
        words.insert(words.begin(), {"/usr/bin/env", "cmake"});
        return run_command({.words = std::move(words), .folder = folder.path(), .limit = std::chrono::seconds(600)});
    }
    void cmake(std::vector<std::string> words) const {
        const Finished done = try_cmake(std::move(words));
        INFO(done.output << done.errors);
        REQUIRE(done.code == 0);
    }
    void build_project(const std::string& source, const std::vector<std::string>& options = {}) const {
        // As this build, or its sanitizers would be missing when it is linked.
        const std::string sanitize = TASK_WORKER_SANITIZERS;
        const std::string flags = sanitize.empty() ? "" : "-fsanitize=" + sanitize;
        std::vector<std::string> words{"-S", TASK_WORKER_SOURCE_DIR "/tests/" + source, "-B", build, "-G", "Ninja"};
        words.insert(words.end(), {"-DCMAKE_PREFIX_PATH=" + prefix, "-DCMAKE_CXX_COMPILER=" TASK_WORKER_COMPILER});
        words.push_back("-DCMAKE_CXX_FLAGS=-Wall -Wextra " + flags);
        words.insert(words.end(), options.begin(), options.end());
        cmake(words);
        cmake({"--build", build});
    }
};

}  // namespace

TEST_CASE("a program outside takes the pool alone, without the other rooms' packages", "[scenario][outside]") {
    const Outside outside;
    std::vector<std::string> options;
    for (const char* const package :
         {"prometheus-cpp", "yaml-cpp", "CLI11", "spdlog", "CURL", "OpenSSL", "boost_json"}) {
        options.push_back(std::string("-DCMAKE_DISABLE_FIND_PACKAGE_") + package + "=TRUE");
    }
    outside.build_project("outside/pool", options);
    const TestDatabase database;
    const Finished finished =
        run_command({.words = {outside.build + "/pool_alone"}, .environment = {{"DATABASE_URL", database.url()}}});
    INFO(finished.errors);
    CHECK(finished.code == 0);
    CHECK(finished.output == "42\n4\n2 checkouts on 1 connections\n");
}
TEST_CASE("what is installed has manual pages and completions, each where it is looked for", "[scenario][outside]") {
    const Outside outside;
    const std::string share = outside.prefix + "/share";
    const auto output_of = [&](std::vector<std::string> words) {
        words.insert(words.begin(), "/usr/bin/env");
        const Finished done = run_command(
            {.words = std::move(words),
             .environment =
                 {
                     {"HOME", outside.folder.path()},
                     {"XDG_DATA_DIRS", share},
                     {"PATH", outside.prefix + "/bin:" + std::getenv("PATH")
                     }  // fish knows only commands that there are
                 }}
        );
        INFO(done.errors);
        CHECK(done.code == 0);
        return done.output;
    };
    const std::string program = outside.prefix + "/bin/task-worker";
    for (const char* page : {"man1/task-worker.1", "man1/task-worker-batch.1", "man5/task-worker-config.5"}) {
        INFO(page);
        const std::string name = std::filesystem::path(page).stem();
        CHECK(output_of({"cat", share + "/man/" + page}) == output_of({program, "man", name}));
    }
    const std::string bash = "source " + share + "/bash-completion/completions/";
    for (const std::string name : {"task-worker", "enqueue"}) {
        CHECK(
            output_of({"bash", "-c", bash + name + " && complete -p " + name}) ==
            "complete -F _task_worker " + name + "\n"
        );
        const std::string zsh = "fpath=(" + share + "/zsh/site-functions $fpath) && autoload -Uz compinit && " +
                                "compinit -D -u && print $_comps[" + name + "]";
        CHECK(output_of({"zsh", "-f", "-c", zsh}) == "_task-worker\n");
        CHECK(output_of({"fish", "-c", "complete -C '" + name + " --no-c'"}).starts_with("--no-color\t"));
    }
}

TEST_CASE(
    "a project outside is told which component or package is missing, and of a compiler that is too old",
    "[scenario][outside]"
) {
    const Outside outside;
    const auto configure = [&](const std::string& component, const std::string& absent, const std::string& first = "") {
        outside.folder.write(
            "CMakeLists.txt",
            "cmake_minimum_required(VERSION 3.25)\nproject(outside LANGUAGES CXX)\n" + first +
                "find_package(task-worker REQUIRED COMPONENTS " + component + ")\n"
        );
        std::filesystem::remove_all(outside.build);
        return outside.try_cmake({
            "-S",
            outside.folder.path(),
            "-B",
            outside.build,
            "-G",
            "Ninja",
            "-DCMAKE_PREFIX_PATH=" + outside.prefix,
            "-DCMAKE_CXX_COMPILER=" TASK_WORKER_COMPILER,
            "-DCMAKE_DISABLE_FIND_PACKAGE_" + absent + "=TRUE",
        });
    };
    CHECK(configure("db", "spdlog").code == 0);
    const Finished unknown = configure("turbine", "nothing");
    INFO(unknown.errors);
    CHECK(unknown.code == 1);
    CHECK(unknown.errors.find("turbine") != std::string::npos);
    const Finished without = configure("jobs", "spdlog");
    INFO(without.errors);
    CHECK(without.code == 1);
    CHECK(without.errors.find("spdlog") != std::string::npos);
    const Finished old =
        configure("db", "nothing", "set(CMAKE_CXX_COMPILER_ID GNU)\nset(CMAKE_CXX_COMPILER_VERSION 12.2.0)\n");
    INFO(old.errors);
    CHECK(old.code == 1);
    CHECK(old.errors.find("-DCMAKE_CXX_COMPILER=clang++-19") != std::string::npos);
}

TEST_CASE("a program outside links the installed package and runs handlers of its own", "[scenario][outside]") {
    const Outside outside;
    const TemporaryFolder& folder = outside.folder;
    const std::string& build = outside.build;
    for (const char* file : {"bin/task-worker", "bin/enqueue", "include/task-worker/jobs/typed.hpp"}) {
        CHECK(std::filesystem::exists(outside.prefix + "/" + file));
    }
    outside.build_project("outside");
    outside.cmake({"--build", build, "--target", "test"});

    const Shop shop("");
    folder.write("lines", "one\ntwo\nthree\n");
    const std::map<std::string, std::string> environment{
        {"DATABASE_URL", shop.database.url()},
        {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"},
        {"TASK_WORKER_LOG_FORMAT", "json"}
    };
    const auto enqueue = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {build + "/newsletter", "enqueue"});
        return run_command({.words = std::move(words), .environment = environment, .folder = folder.path()});
    };
    CHECK(enqueue({"send-email", "--args", R"({"to": ["a@b.c"], "subject": "News"})"}).code == 0);
    CHECK(enqueue({"count-lines", "--args", R"({"path": ")" + folder.path() + R"(/lines"})"}).code == 0);
    CHECK(enqueue({"count-lines", "--args", "{}"}).code == 0);
    CHECK(enqueue({"nobody-does-this"}).code == 2);
    Process worker(build + "/newsletter", {"run", "--config", shop.folder.path() + "/config.yml"}, environment);
    worker.wait_for_line("mail to a@b.c: News");
    shop.await_finished(3);
    CHECK(
        shop.database.value("select string_agg(result::text, ' ' order by id) from task_queue.finished_bundles") ==
        R"({"sent":1} 3)"
    );
    CHECK(shop.database.value("select error from task_queue.dead_jobs") == "args do not fit: /path: is missing");
    worker.signal(SIGTERM);
    CHECK(worker.wait_exit() == 0);
}

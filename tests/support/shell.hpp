#pragma once

// The command line as a user meets it: the real program, started in a folder with a config.yml.

#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tests {

using Words = std::vector<std::string>;

// A folder with a config.yml, and the program started in it.
class Shell {
public:
    explicit Shell(std::string url) : url_(std::move(url)) {}

    Command command(Words words, std::string input = {}) const {
        words.insert(words.begin(), TASK_WORKER_BINARY);
        std::map<std::string, std::string> environment;
        if (!url_.empty()) environment["DATABASE_URL"] = url_;
        return {
            .words = std::move(words), .input = std::move(input), .environment = environment, .folder = folder.path()
        };
    }
    Finished run(Words words, std::string input = {}) const {
        return run_command(command(std::move(words), std::move(input)));
    }
    // One line on standard error that holds the text, nothing on standard output, and that exit code.
    void refuses(const Words& words, int code, const std::string& text, const std::string& input = {}) const {
        const Finished finished = run(words, input);
        INFO("output: " << finished.output << "errors: " << finished.errors);
        CHECK(finished.code == code);
        CHECK(finished.output.empty());
        CHECK(finished.errors.starts_with("task-worker: "));
        CHECK(finished.errors.find(text) != std::string::npos);
        CHECK(std::ranges::count(finished.errors, '\n') == 1);
    }

    TemporaryFolder folder;

private:
    std::string url_;
};

inline bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace tests

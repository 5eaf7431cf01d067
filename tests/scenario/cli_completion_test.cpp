// Completion as a shell does it: the real shells, asked for what may follow.

#include "tests/support/catch.hpp"
#include "tests/support/shell.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

using namespace tests;

namespace {

// Where a program is; empty: not installed.
std::string find_program(const std::string& name) {
    std::istringstream folders(std::getenv("PATH"));
    for (std::string folder; std::getline(folders, folder, ':');) {
        if (std::filesystem::exists(folder + "/" + name)) return folder + "/" + name;
    }
    return {};
}

// A shell with the script that the program prints for it.
class Completer {
public:
    Completer(const std::string& name, std::string asks) : program_(find_program(name)), asks_(std::move(asks)) {
        INFO(name << " is not installed: deploy/dependencies test installs it");
        REQUIRE_FALSE(program_.empty());
        const Finished script = shell_.run({"completion", name});
        REQUIRE(script.code == 0);
        shell_.folder.write("script", script.output);
        shell_.folder.write("photo one.txt", "");
        shell_.folder.write("photo-folder", "");
        std::filesystem::remove(shell_.folder.path() + "/photo-folder");
        std::filesystem::create_directory(shell_.folder.path() + "/photo-folder");
    }
    // What may stand in the place of the last word.
    Words candidates(const Words& words) const {
        Command command = shell_.command({});
        command.words = {program_, "-c", asks_, "asked"};
        command.environment["HOME"] =
            shell_.folder.path();  // without settings of whoever runs this, and none left there
        if (program_.ends_with("zsh")) command.words.insert(command.words.begin() + 1, "-f");
        command.words.insert(command.words.end(), words.begin(), words.end());
        const Finished finished = run_command(command);
        INFO(finished.errors);
        CHECK(finished.code == 0);
        CHECK(finished.errors.empty());
        Words found;
        std::istringstream lines(finished.output);
        for (std::string line; std::getline(lines, line);) found.push_back(line);
        std::ranges::sort(found);
        return found;
    }

private:
    Shell shell_{""};
    std::string program_;
    std::string asks_;
};

}  // namespace

TEST_CASE("bash completes commands, options, values and files", "[worker][cli][completion][scenario]") {
    // The function that `complete` has registered for the program is called as bash does.
    const Completer bash("bash", R"sh(
        source ./script
        function=$(complete -p "$1") && function=${function##*-F } && function=${function%% *}
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        "$function"
        printf '%s\n' "${COMPREPLY[@]}"
    )sh");
    CHECK(bash.candidates({"task-worker", "ba"}) == Words{"batch"});
    CHECK(bash.candidates({"task-worker", "--json", "--config", "x.yml", "job", "wa"}) == Words{"wait"});
    CHECK(bash.candidates({"task-worker", "batch", ""}) == Words{"cancel", "list", "redrive", "seal", "show", "watch"});
    CHECK(bash.candidates({"task-worker", "batch", "list", "--st"}) == Words{"--state"});
    CHECK(
        bash.candidates({"task-worker", "batch", "list", "--state", ""}) ==
        Words{"cancelled", "finished", "open", "sealed"}
    );
    CHECK(bash.candidates({"task-worker", "job", "list", "--state", "=", "r"}) == Words{"retryable", "running"});
    CHECK(bash.candidates({"task-worker", "batch", "--state", "open", "list", "--js"}) == Words{"--json"});
    CHECK(bash.candidates({"task-worker", "completion", ""}) == Words{"bash", "fish", "zsh"});
    CHECK(bash.candidates({"task-worker", "enqueue", "echo", "photo"}) == Words{"photo one.txt", "photo-folder"});
    CHECK(bash.candidates({"enqueue", "echo", "--file", "photo"}) == Words{"photo one.txt", "photo-folder"});
    CHECK(bash.candidates({"enqueue", "--wat"}) == Words{"--watch"});
    CHECK(bash.candidates({"task-worker", "--data", "photo"}) == Words{"photo-folder"});
    CHECK(
        bash.candidates({"task-worker", "dev", "stop", "--url-file", "photo"}) == Words{"photo one.txt", "photo-folder"}
    );
    CHECK(bash.candidates({"task-worker", "enqueue", "echo", "--args", ""}) == Words{""});
}

TEST_CASE("zsh is offered commands, options and values", "[worker][cli][completion][scenario]") {
    // Found as a file of $fpath, and called outside of the editor, with the builtin that adds candidates replaced by
    // one that prints them.
    const Completer zsh("zsh", R"sh(
        mkdir -p functions && cp script functions/_task-worker
        fpath=($PWD/functions $fpath)
        autoload -Uz compinit && compinit -D -u
        compadd() { shift; print -l -- "$@" }
        compset() { : }
        _files() { print FILES "$@" }
        words=("$@") CURRENT=$#
        $_comps[$1]
    )sh");
    CHECK(zsh.candidates({"task-worker", "batch", ""}) == Words{"cancel", "list", "redrive", "seal", "show", "watch"});
    CHECK(
        zsh.candidates({"task-worker", "batch", "list", "--state", ""}) ==
        Words{"cancelled", "finished", "open", "sealed"}
    );
    CHECK(
        zsh.candidates({"task-worker", "batch", "list", "--state=o"}) ==
        Words{"cancelled", "finished", "open", "sealed"}
    );
    CHECK(zsh.candidates({"task-worker", "completion", ""}) == Words{"bash", "fish", "zsh"});
    CHECK(zsh.candidates({"task-worker", "--data", "x"}) == Words{"FILES -/"});
    CHECK(zsh.candidates({"enqueue", "echo", ""}) == Words{"FILES"});
    const Words options = zsh.candidates({"task-worker", "batch", "list", "-"});
    CHECK(std::ranges::count(options, "--state") == 1);
    CHECK(std::ranges::count(options, "--json") == 1);
    CHECK(std::ranges::count(options, "--args") == 0);
}

TEST_CASE("fish completes commands, options, values and files", "[worker][cli][completion][scenario]") {
    const Completer fish("fish", R"sh(
        source ./script
        set -e argv[1]
        complete -C (string join ' ' -- $argv) | string replace -r '\t.*' ''
        true
    )sh");
    CHECK(fish.candidates({"task-worker", "ba"}) == Words{"batch"});
    CHECK(
        fish.candidates({"task-worker", "--config", "job", "batch", ""}) ==
        Words{"cancel", "list", "redrive", "seal", "show", "watch"}
    );
    CHECK(fish.candidates({"task-worker", "batch", "list", "--st"}) == Words{"--state"});
    CHECK(
        fish.candidates({"task-worker", "batch", "list", "--state", ""}) ==
        Words{"cancelled", "finished", "open", "sealed"}
    );
    CHECK(fish.candidates({"task-worker", "batch", "list", "--state=o"}) == Words{"--state=open"});
    CHECK(fish.candidates({"task-worker", "completion", ""}) == Words{"bash", "fish", "zsh"});
    CHECK(fish.candidates({"task-worker", "batch", "--js"}) == Words{"--json"});
    CHECK(fish.candidates({"enqueue", "--wat"}) == Words{"--watch"});
    CHECK(fish.candidates({"enqueue", "echo", "photo-"}) == Words{"photo-folder/"});
    CHECK(fish.candidates({"task-worker", "--data", "photo"}) == Words{"photo-folder/"});
    CHECK(fish.candidates({"task-worker", "batch", "show", "photo-"}).empty());
}

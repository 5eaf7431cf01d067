#pragma once

// A program on a terminal, which `script` makes.

#include "tests/support/command.hpp"

#include <regex>
#include <string>

namespace tests {

// The same command there. What it is given as standard input is typed, and shown as it is typed.
inline Command on_terminal(Command command, int columns) {
    std::string line = "stty cols " + std::to_string(columns) + " && exec";
    for (const std::string& word : command.words) {
        line += " '" + std::regex_replace(word, std::regex("'"), R"('\'')") + "'";
    }
    command.words = {"/usr/bin/script", "-qec", line, "/dev/null"};
    command.environment.try_emplace("TERM", "xterm");
    return command;
}

}  // namespace tests

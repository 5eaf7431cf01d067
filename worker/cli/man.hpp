#pragma once

// Manual pages, made from what the parser and the configuration's keys know: they say what --help says. Pure.

#include "worker/cli/parse.hpp"

#include <string>
#include <vector>

namespace worker::cli {

struct ManPage {
    std::string name;  // task-worker-batch
    int section = 1;
    std::string text{};  // troff with the man macros

    // Where it lies below a folder of manuals: man1/task-worker-batch.1
    std::string path() const;
};

// One page for the program, one for each of its commands with those below it, one for config.yml.
std::vector<ManPage> man_pages(const std::vector<CommandShape>& commands);

}  // namespace worker::cli

#pragma once

// Shell completion: scripts made from what the parser knows. Pure.

#include "worker/cli/parse.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace worker::cli {

// A script for bash, zsh or fish that completes task-worker and enqueue: commands, options, the values of options that
// take few, and files. Says in its first lines how it is installed.
std::string completion_script(std::string_view shell, const std::vector<CommandShape>& commands);

}  // namespace worker::cli

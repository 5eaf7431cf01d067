#pragma once

// The command line: parses the arguments, runs one subcommand, answers its exit code.

#include "worker/natives.hpp"

namespace worker::cli {

// The whole of a main(): `add_kinds` adds the program's own handlers.
int run(int argc, char** argv, AddKinds add_kinds = {});

}  // namespace worker::cli

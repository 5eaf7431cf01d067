#pragma once

// The command line: parses the arguments, runs one subcommand, answers its exit code.

namespace worker::cli {

int run(int argc, char** argv);

}  // namespace worker::cli

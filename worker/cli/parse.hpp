#pragma once

// The command line's text into options. The one door to CLI11.

#include "worker/cli/options.hpp"

#include <boost/system/result.hpp>

#include <string>
#include <vector>

namespace worker::cli {

struct Invocation {
    Global global;
    Command command;
};

// Nothing is to be run.
struct NoInvocation {
    int code;          // 0: help or the version was asked for; 2: the arguments are wrong
    std::string text;  // for standard output, or for standard error
};

// `arguments`: those after the program's name.
boost::system::result<Invocation, NoInvocation> parse_arguments(std::vector<std::string> arguments);

// What the parser knows of one option, or of a positional argument, which has no names.
struct OptionShape {
    std::vector<std::string> names;  // as typed: -w, --watch
    std::string description;
    std::string form{};                  // of its value: FILE, N; of a positional its name; empty for a flag
    std::vector<std::string> choices{};  // the values it takes; empty: any
};

// What the parser knows of one command.
struct CommandShape {
    std::vector<std::string> words;  // batch, list; empty: the program itself, with the global options
    std::string description;
    std::vector<OptionShape> options{};
    std::string notes{};  // what stands below the options in its --help
};

// Every command that can be typed, the program itself first.
std::vector<CommandShape> command_shapes();

}  // namespace worker::cli

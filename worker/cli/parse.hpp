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

}  // namespace worker::cli

#include "worker/cli/parse.hpp"

#include "worker/cli/parser.hpp"

namespace worker::cli {

boost::system::result<Invocation, NoInvocation> parse_arguments(std::vector<std::string> arguments) {
    return Parser().parse(std::move(arguments));
}

std::vector<CommandShape> command_shapes() {
    return Parser().shapes();
}

}  // namespace worker::cli

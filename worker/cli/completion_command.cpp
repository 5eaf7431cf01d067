// `completion`.

#include "worker/cli/commands.hpp"
#include "worker/cli/completion.hpp"
#include "worker/exit_code.hpp"

#include <fmt/format.h>

namespace worker::cli {

int perform(const Global&, const CompletionCommand& command) {
    fmt::print("{}", completion_script(command.shell, command_shapes()));
    return exit_ok;
}

}  // namespace worker::cli

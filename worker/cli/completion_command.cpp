// `completion`.

#include "worker/cli/commands.hpp"
#include "worker/cli/completion.hpp"
#include "worker/cli/json.hpp"
#include "worker/exit_code.hpp"

#include <fmt/format.h>

namespace worker::cli {

int perform(const Global& global, const CompletionCommand& command) {
    const std::string script = completion_script(command.shell, command_shapes());
    if (global.json) {
        fmt::print("{}\n", JsonObject().add("shell", command.shell).add("script", script).text());
    } else {
        fmt::print("{}", script);
    }
    return exit_ok;
}

}  // namespace worker::cli

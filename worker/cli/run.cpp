// `run`.

#include "worker/cli/commands.hpp"
#include "worker/cli/database.hpp"
#include "worker/runtime.hpp"
#include "worker/stop_signals.hpp"

#include <utility>

namespace worker::cli {

int perform(const Global& global, const RunCommand& command) {
    hold_stop_signals();
    LoadedConfig loaded = load(with_json_log(global));
    return run_worker({.config = std::move(loaded), .ready_file = command.url_file, .add_kinds = global.add_kinds});
}

}  // namespace worker::cli

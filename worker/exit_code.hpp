#pragma once

// The exit codes of every command.

namespace worker {

enum ExitCode : int {
    exit_ok = 0,
    exit_failed = 1,       // failed, not found, or a watched batch with failures
    exit_usage = 2,        // usage, configuration or a bad file
    exit_unreachable = 3,  // database unreachable or login refused
    exit_schema = 4,       // schema not understood
    exit_budget = 5,       // budget refused
    exit_interrupted = 130,
};

}  // namespace worker

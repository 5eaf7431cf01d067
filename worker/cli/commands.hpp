#pragma once

// The commands: each does its work, writes to standard output, and returns the exit code (worker/exit_code.hpp).
// Throws: Failure, Interrupted, db::Error, std::exception; cli.cpp reports them.

#include "worker/cli/options.hpp"

namespace worker::cli {

int perform(const Global& global, const RunCommand& command);
int perform(const Global& global, const DevCommand& command);
int perform(const Global& global, const CheckCommand& command);
int perform(const Global& global, const MigrateCommand& command);
int perform(const Global& global, const EnqueueCommand& command);
int perform(const Global& global, const BatchCommand& command);
int perform(const Global& global, const JobCommand& command);
int perform(const Global& global, const QueueCommand& command);
int perform(const Global& global, const WorkerCommand& command);
int perform(const Global& global, const DeadCommand& command);
int perform(const Global& global, const DocumentsCommand& command);
int perform(const Global& global, const DoctorCommand& command);
int perform(const Global& global, const CompletionCommand& command);
int perform(const Global& global, const ManCommand& command);

}  // namespace worker::cli

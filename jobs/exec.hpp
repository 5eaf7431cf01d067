#pragma once

// The exec handler: one run of a program for each attempt of a job, so that a handler can be written in any language.
// What the program is given stands in jobs/exec_input.hpp, how it answers in jobs/exec_protocol.hpp.

#include "jobs/counters.hpp"
#include "jobs/exec_spec.hpp"
#include "jobs/handler.hpp"

#include <memory>

namespace jobs {

// A handler that runs `spec.command`, directly and never through a shell, in a process group of its own.
//
// A program that cannot be started is a retry, not a discard: a deploy may bring it.
// Its timeout is the context's deadline. To stop it, its group gets SIGTERM and, `kill_after` later, SIGKILL; when the
// program ends, what is left of the group is killed. A process that leaves the group lives on, but holds up nothing.
// A line of the program's log goes to the context's log, up to `output_limit` in all; memory stays within a small
// multiple of `output_limit` and `result_limit`, whatever is printed.
//
// Throws:       std::invalid_argument when the spec has no command.
// Thread:       each run has a strand of its own on the executor of the coroutine that calls it; hooks are called
//               there. The kernel kills a program whose starting thread ends, so the threads of that executor must
//               outlive their jobs.
// Cancellation: by the context's stop token alone; that of Asio is ignored, because the program must be seen to its
// end.
Handler make_exec_handler(ExecSpec spec, std::shared_ptr<ProgramCounters> counters = {});

}  // namespace jobs

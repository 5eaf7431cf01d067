#pragma once

// The stream handler: a program that lives on and takes one job after the other, for interpreters that start slowly.
//
// The program reads jobs from its standard input, one a line, in the form that an exec handler's program gets
// (jobs/exec_input.hpp), and answers on its standard output, with the messages of jobs/exec_protocol.hpp:
//
//   {"progress": ...}                                      any number of times, before the answer
//   {"result": ANY}, {"done": true}, {"retry": ...},
//   {"snooze": ...} or {"discard": ...}                    the answer: exactly one a job, which ends it
//
// It is given a job only after it has answered the one before. Other lines of its output, and its standard error, are
// the log of the job that it has. It may buffer its output no longer than its answer. A message may carry its job's id,
// {"id": 128, "result": ANY}: then an answer that is late or doubled can never be taken for that to another job.
//
// A program runs for each job that runs at once, at most; those without a job are kept. It may end whenever it has no
// job, with exit code 0 or any other: the next job starts another. The end of its standard input asks it to end.
//
// What goes wrong ends the program, its whole group (SIGTERM, SIGKILL after `kill_after`), and another takes its place:
//
//   a job that is cancelled, over its time, without a lease, or running in a worker that stops hard
//   a message that cannot be understood or bears another job's id; a second answer
//   standard input or output closed, or its own end, before it answered
//
// The outcome is that of jobs/stream_protocol.hpp. A job that the program had not begun to read when it ended is given
// to another one. Only if that was started for this job it is a retry, and the next start waits: 0.1 s, then twice as
// long each time, up to 10 s.

#include "jobs/counters.hpp"
#include "jobs/exec_spec.hpp"
#include "jobs/handler.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>

namespace jobs {

struct StreamHandler {
    // As make_exec_handler()'s, but for the limit of processor time: a program that ignores SIGXCPU goes on.
    Handler handler;
    // Ends the programs without a job: their standard input ends, and `kill_after` later they are killed. From then on
    // none is kept. To be called while the threads that ran the handler still live, since the kernel kills a program
    // whose starting thread ends.
    std::function<boost::asio::awaitable<void>()> close;
};

// The programs see the shared environment of jobs/exec_input.hpp and JOB_KIND.
// Throws: std::invalid_argument when the spec has no command.
StreamHandler make_stream_handler(ExecSpec spec, std::shared_ptr<ProgramCounters> counters = {});

}  // namespace jobs

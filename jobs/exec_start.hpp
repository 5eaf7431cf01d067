#pragma once

// How an exec handler's program is started: its environment's shared part, its output pipes, its limits.

#include "jobs/counters.hpp"
#include "jobs/exec_spec.hpp"
#include "jobs/process.hpp"

#include <boost/system/result.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace jobs {

// What all runs of one handler share.
struct Program {
    ExecSpec spec;
    std::map<std::string, std::string> environment;  // see shared_environment()
    std::shared_ptr<ProgramCounters> counters;
};

// Throws: std::invalid_argument when the spec has no command.
std::shared_ptr<const Program> make_program(ExecSpec spec, std::shared_ptr<ProgramCounters> counters);

// Why the program could not be started now; empty: it could, as far as its file tells.
std::string find_start_problem(const ExecSpec& spec);

// Counts a running program while it lives.
class Counted {
public:
    explicit Counted(std::shared_ptr<ProgramCounters> counters);
    ~Counted();
    Counted(Counted&& other) noexcept = default;
    Counted& operator=(Counted&&) = delete;

private:
    std::shared_ptr<ProgramCounters> counters_;
};

struct StartedProgram {
    Process process;
    UniqueFd out;  // its standard output and error, non-blocking
    UniqueFd err;
    Counted counted;
};

// Starts the program with `input` as its standard input, which stays the caller's.
// Thread: see start_process().
boost::system::result<StartedProgram, StartError> start_program(
    const Program& program, std::vector<std::string> environment, int input
);

}  // namespace jobs

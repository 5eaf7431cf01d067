#include "jobs/exec_start.hpp"

#include "jobs/exec_input.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace jobs {

std::shared_ptr<const Program> make_program(ExecSpec spec, std::shared_ptr<ProgramCounters> counters) {
    if (spec.command.empty()) throw std::invalid_argument("an exec handler needs a command");
    start_guard();
    auto environment = shared_environment(spec, ::environ);
    if (!counters) counters = std::make_shared<ProgramCounters>();
    return std::make_shared<const Program>(Program{std::move(spec), std::move(environment), std::move(counters)});
}

std::string find_start_problem(const ExecSpec& spec) {
    const std::string& name = spec.command.at(0);
    if (name.find('/') == std::string::npos) {
        const auto environment = shared_environment(spec, ::environ);
        const auto path = environment.find("PATH");
        const std::string folders = path == environment.end() ? default_path : path->second;
        return find_program(name, folders).empty() ? "no executable file " + name + " in PATH (" + folders + ")" : "";
    }
    const std::filesystem::path file = std::filesystem::path(spec.cwd) / name;  // an absolute name stays
    return ::access(file.c_str(), X_OK) == 0 ? "" : file.string() + ": " + std::strerror(errno);
}

Counted::Counted(std::shared_ptr<ProgramCounters> counters) : counters_(std::move(counters)) {
    ++counters_->started;
    ++counters_->running;
}

Counted::~Counted() {
    if (counters_) --counters_->running;
}

boost::system::result<StartedProgram, StartError> start_program(
    const Program& program, std::vector<std::string> environment, int input
) {
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    if (input < 0 || !out.writer || !err.writer) {
        return StartError{"cannot run " + program.spec.command[0] + ": no descriptors or memory left for its streams"};
    }
    auto started = start_process({
        .command = program.spec.command,
        .environment = std::move(environment),
        .cwd = program.spec.cwd,
        .memory_bytes = program.spec.memory_bytes,
        .cpu = program.spec.mode == ExecMode::process ? program.spec.cpu : std::nullopt,
        .input = input,
        .output = out.writer.get(),
        .error = err.writer.get(),
    });
    if (!started) return started.error();
    return StartedProgram{std::move(*started), std::move(out.reader), std::move(err.reader), Counted(program.counters)};
}

}  // namespace jobs

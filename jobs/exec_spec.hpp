#pragma once

// What an exec handler runs, as plain data: worker/config reads it, the exec handler obeys it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace jobs {

// A program for each attempt (jobs/exec.hpp), or one for many jobs in turn (jobs/stream.hpp).
enum class ExecMode { process, stream };

struct ExecSpec {
    std::vector<std::string> command;  // program and arguments; never through a shell
    ExecMode mode = ExecMode::process;
    std::map<std::string, std::string> env;              // set for the program, over what pass_env lets through
    std::vector<std::string> pass_env;                   // names of the worker's own variables that the program may see
    std::string cwd;                                     // absolute; empty: the worker's own
    std::optional<std::uint64_t> memory_bytes;           // address space of the program; empty: no limit
    std::optional<std::chrono::seconds> cpu;             // processor time of one attempt; empty: no limit
    std::size_t output_limit = std::size_t{256} * 1024;  // captured log, bytes
    std::size_t result_limit = std::size_t{64} * 1024;   // bytes of the result's JSON
    std::chrono::milliseconds kill_after{5'000};         // between SIGTERM and SIGKILL
};

}  // namespace jobs

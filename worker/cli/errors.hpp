#pragma once

// How commands end: one clear message and the exit code for everything that can go wrong.

#include "worker/config.hpp"
#include "worker/exit_code.hpp"

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace worker::cli {

// A command cannot go on. what() says what is wrong, and after a colon the way out.
class Failure : public std::runtime_error {
public:
    Failure(ExitCode code, const std::string& what) : std::runtime_error(what), code_(code) {}
    ExitCode code() const { return code_; }

private:
    ExitCode code_;
};

// Ctrl-C while a batch is watched.
class Interrupted : public std::exception {
public:
    const char* what() const noexcept override { return "interrupted"; }
};

// Exit code and message of whatever was thrown.
struct Ending {
    ExitCode code;
    std::string text;  // empty: nothing to say
};
Ending describe_failure(const std::exception_ptr& failure);

// Every problem of a configuration as one message.
std::string describe_problems(const std::vector<Problem>& problems);

// Writes "task-worker: <text>" to standard error.
void complain(const std::string& text);

}  // namespace worker::cli

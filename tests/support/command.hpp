#pragma once

// Programs as users run them: arguments, standard input, environment; output, errors and exit code.

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace tests {

struct Command {
    std::vector<std::string> words;                    // the program's path, then its arguments
    std::string input{};                               // for its standard input
    std::map<std::string, std::string> environment{};  // besides PATH, HOME and the sanitizers' options: nothing else
    std::string folder{};                              // where it runs; empty: here
    std::chrono::seconds limit{60};
};

struct Finished {
    int code = -1;  // exit code; 128 and the signal when one ended it
    std::string output;
    std::string errors;
};

// Runs a program to its end. Throws: std::runtime_error when it cannot be started, or, killed, after the limit.
Finished run_command(const Command& command);

// A program in a process group of its own, killed at the latest by the destructor.
class Child {
public:
    explicit Child(const Command& command);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    void signal(int number) const;
    // Until standard output, or standard error, holds the text. Throws: as run_command, and at the program's end.
    void wait_for(const std::string& text);
    Finished wait();

private:
    bool read_some(std::chrono::steady_clock::time_point deadline);
    [[noreturn]] void give_up(const std::string& why) const;
    void write_some();

    Finished finished_;
    std::string input_;
    std::string name_;
    std::chrono::steady_clock::time_point deadline_;
    int pid_ = -1;
    int in_ = -1;
    int out_ = -1;
    int err_ = -1;
};

}  // namespace tests

#include "tests/bench/client/stopwatch.hpp"
#include "tests/bench/client/threads.hpp"
#include "tests/bench/client/verbs.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>

namespace bench {

namespace {

// Starts the program with nothing redirected and waits for its end: the least that running it takes.
void run_once(std::string program) {
    std::array<char*, 2> words{program.data(), nullptr};
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, program.c_str(), nullptr, nullptr, words.data(), ::environ);
    if (error != 0) throw std::system_error(error, std::generic_category(), program);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) throw std::runtime_error(program + " failed");
}

}  // namespace

void spawn_floor(const Arguments& arguments) {
    const std::string& program = arguments.text("program");
    const int runs = arguments.number("jobs");
    wait_for_start();
    const Stopwatch stopwatch;
    std::atomic<int> next = 0;
    run_threads(static_cast<std::size_t>(arguments.number("concurrency")), [&](std::size_t) {
        while (next++ < runs) run_once(program);
    });
    stopwatch.report(runs);
}

}  // namespace bench

#pragma once

// A child process whose standard error is read line by line: scenario tests wait for what it says, not for time.

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tests {

class Process {
public:
    using Environment = std::map<std::string, std::string>;

    // Starts the program (an absolute path) with this environment added to the test's own.
    Process(std::string program, std::vector<std::string> arguments, const Environment& environment = {});
    ~Process();  // kills it if it still runs
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    pid_t pid() const { return pid_; }
    void signal(int number) const;

    // Waits until a line with this text has been written and returns it.
    // Throws: std::runtime_error with everything it wrote, when it ends before or takes longer.
    std::string wait_for_line(const std::string& text, std::chrono::seconds limit = std::chrono::seconds(30));
    // Waits for the end and returns the exit code, or minus the number of the signal that killed it.
    int wait_exit(std::chrono::seconds limit = std::chrono::seconds(30));
    bool has_ended() const;
    std::string output() const;  // so far

private:
    void read();
    std::string threads_text() const;

    pid_t pid_ = -1;
    int pipe_ = -1;
    mutable std::mutex mutex_;  // guards the three below
    std::condition_variable changed_;
    std::string output_;
    bool closed_ = false;
    std::thread reader_;
};

// A worker on that database, ready to claim. Its settings are environment variables, over test defaults that make it
// quick: heartbeat 300 ms, lease_timeout 2 s, poll 200 ms, any free port.
class WorkerProcess : public Process {
public:
    explicit WorkerProcess(
        const std::string& url,
        Environment environment = {},
        std::vector<std::string> arguments = {},
        const std::string& program = TASK_WORKER_BINARY
    );

    int http_port() const { return http_port_; }

private:
    int http_port_ = 0;
};

}  // namespace tests

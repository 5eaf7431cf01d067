#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace bench {

// Says "ready" on standard output and waits for a line on standard input.
void wait_for_start();

class Stopwatch {
public:
    Stopwatch();
    double seconds() const;  // since the constructor
    // Prints {"seconds": seconds(), "cpu_seconds": of this process since then, "jobs": jobs, and further members}.
    void report(std::int64_t jobs, const std::string& members = "") const;

private:
    std::chrono::steady_clock::time_point start_;
    double cpu_;
};

}  // namespace bench

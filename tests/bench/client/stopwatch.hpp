#pragma once

#include <chrono>
#include <cstdint>

namespace bench {

// Says "ready" on standard output and waits for a line on standard input.
void wait_for_start();

class Stopwatch {
public:
    Stopwatch();
    // Prints {"seconds": since the constructor, "cpu_seconds": of this process since then, "jobs": jobs}.
    void report(std::int64_t jobs) const;

private:
    std::chrono::steady_clock::time_point start_;
    double cpu_;
};

}  // namespace bench

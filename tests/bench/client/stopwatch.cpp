#include "tests/bench/client/stopwatch.hpp"

#include <sys/resource.h>

#include <iostream>
#include <string>

namespace bench {

namespace {

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

}  // namespace

void wait_for_start() {
    std::cout << "ready" << std::endl;
    std::string line;
    std::getline(std::cin, line);
}

Stopwatch::Stopwatch() : start_(std::chrono::steady_clock::now()), cpu_(cpu_seconds()) {}

double Stopwatch::seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Stopwatch::report(std::int64_t jobs, const std::string& members) const {
    std::cout << "{\"seconds\": " << seconds() << ", \"cpu_seconds\": " << cpu_seconds() - cpu_
              << ", \"jobs\": " << jobs << (members.empty() ? "" : ", ") << members << "}" << std::endl;
}

}  // namespace bench

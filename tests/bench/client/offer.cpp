// Enqueues single jobs at random times, a given number a second, whatever becomes of them, and writes down when.

#include "tests/bench/client/payload.hpp"
#include "tests/bench/client/postgres.hpp"
#include "tests/bench/client/stopwatch.hpp"
#include "tests/bench/client/verbs.hpp"

#include <chrono>
#include <cmath>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Times {
    Clock::time_point sent;
    Clock::time_point committed;
};

long long nanoseconds(Clock::time_point time) {
    return std::chrono::nanoseconds(time.time_since_epoch()).count();
}

}  // namespace

// --sql has $1 for the args, whose member n counts the jobs from 0. --times gets a line for each: when it was sent and
// when its commit had been answered, in nanoseconds of the monotonic clock.
void offer(const Arguments& arguments) {
    const Connection connection = connect(arguments.text("url"));
    PGconn* const session = connection.get();
    prepare(session, "enqueue", arguments.text("sql").c_str());
    const int rate = arguments.number("rate");
    const auto jobs = static_cast<std::size_t>(rate * arguments.number("seconds"));
    std::vector<Times> times;
    times.reserve(jobs);
    std::mt19937_64 random(std::random_device{}());
    std::exponential_distribution<double> gap(rate);  // as of many independent producers

    wait_for_start();
    const Stopwatch stopwatch;
    Clock::time_point due = Clock::now();
    for (std::size_t n = 0; n < jobs; ++n) {
        const std::string args = random_args(n);
        std::this_thread::sleep_until(due);
        due += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(gap(random)));
        const auto sent = Clock::now();
        send_prepared(session, "enqueue", {{args}});
        take_result(session);
        times.push_back({sent, Clock::now()});
    }
    stopwatch.report(std::ssize(times));
    std::ofstream file(arguments.text("times"));
    for (const Times& time : times) file << nanoseconds(time.sent) << ' ' << nanoseconds(time.committed) << '\n';
    if (!file.flush()) throw std::runtime_error("cannot write " + arguments.text("times"));
}

}  // namespace bench

// Enqueues single jobs at random times, a given number a second, whatever becomes of them, and writes down when.

#include "tests/bench/client/payload.hpp"
#include "tests/bench/client/postgres.hpp"
#include "tests/bench/client/stopwatch.hpp"
#include "tests/bench/client/threads.hpp"
#include "tests/bench/client/verbs.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
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

// So many instants of a span, in order: what many producers make that know nothing of one another.
std::vector<Clock::duration> random_instants(std::size_t count, double seconds) {
    std::mt19937_64 random(std::random_device{}());
    std::uniform_real_distribution<double> instant(0, seconds);
    std::vector<Clock::duration> instants;
    while (instants.size() < count) {
        instants.push_back(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(instant(random))));
    }
    std::ranges::sort(instants);
    return instants;
}

void enqueue_at(PGconn* session, Clock::time_point due, std::size_t n, Times& times) {
    const std::string args = random_args(n);
    std::this_thread::sleep_until(due);
    times.sent = Clock::now();
    send_prepared(session, "enqueue", {{args}});
    take_result(session);
    times.committed = Clock::now();
}

}  // namespace

// --sql has $1 for the args, whose member n counts the jobs from 0. --times gets a line for each: when it was sent and
// when its commit had been answered, in nanoseconds of the monotonic clock.
void offer(const Arguments& arguments) {
    const auto producers = static_cast<std::size_t>(arguments.number("producers"));
    std::vector<Connection> connections;
    while (connections.size() < producers) {
        connections.push_back(connect(arguments.text("url")));
        prepare(connections.back().get(), "enqueue", arguments.text("sql").c_str());
    }
    const int seconds = arguments.number("seconds");
    std::vector<Times> times(static_cast<std::size_t>(arguments.number("rate") * seconds));
    const std::vector<Clock::duration> due = random_instants(times.size(), seconds);

    wait_for_start();
    const Stopwatch stopwatch;
    const auto start = Clock::now();
    std::atomic<std::size_t> next = 0;
    run_threads(producers, [&](std::size_t i) {
        for (std::size_t n = next++; n < times.size(); n = next++) {
            enqueue_at(connections[i].get(), start + due[n], n, times[n]);
        }
    });
    stopwatch.report(std::ssize(times));
    std::ofstream file(arguments.text("times"));
    for (const Times& time : times) file << nanoseconds(time.sent) << ' ' << nanoseconds(time.committed) << '\n';
    if (!file.flush()) throw std::runtime_error("cannot write " + arguments.text("times"));
}

}  // namespace bench

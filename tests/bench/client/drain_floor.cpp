#include "tests/bench/client/floor.hpp"
#include "tests/bench/client/stopwatch.hpp"
#include "tests/bench/client/verbs.hpp"

#include <atomic>
#include <deque>
#include <exception>
#include <thread>
#include <vector>

namespace bench {

namespace {

std::int64_t drain(FloorConsumer& consumer) {
    std::int64_t jobs = 0;
    while (const std::int64_t claimed = consumer.round()) jobs += claimed;
    return jobs;
}

}  // namespace

void drain_floor(const Arguments& arguments) {
    const auto connections = static_cast<std::size_t>(arguments.number("connections"));
    std::deque<FloorConsumer> consumers;
    while (consumers.size() < connections) {
        consumers.emplace_back(arguments.text("url"), arguments.number("rows"));
    }
    wait_for_start();
    const Stopwatch stopwatch;
    std::atomic<std::int64_t> jobs = 0;
    std::vector<std::exception_ptr> failures(connections);
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < connections; ++i) {
            threads.emplace_back([&, i] {
                try {
                    jobs += drain(consumers[i]);
                } catch (...) {
                    failures[i] = std::current_exception();
                }
            });
        }
    }
    for (const std::exception_ptr& failure : failures) {
        if (failure) std::rethrow_exception(failure);
    }
    stopwatch.report(jobs);
}

}  // namespace bench

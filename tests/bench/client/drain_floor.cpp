#include "tests/bench/client/floor.hpp"
#include "tests/bench/client/stopwatch.hpp"
#include "tests/bench/client/threads.hpp"
#include "tests/bench/client/verbs.hpp"

#include <atomic>
#include <deque>

namespace bench {

void drain_floor(const Arguments& arguments) {
    const auto connections = static_cast<std::size_t>(arguments.number("connections"));
    std::deque<FloorConsumer> consumers;
    while (consumers.size() < connections) {
        consumers.emplace_back(arguments.text("url"), arguments.number("rows"));
    }
    wait_for_start();
    const Stopwatch stopwatch;
    std::atomic<std::int64_t> jobs = 0;
    run_threads(connections, [&](std::size_t i) {
        while (const std::int64_t claimed = consumers[i].round()) jobs += claimed;
    });
    stopwatch.report(jobs);
}

}  // namespace bench

#include "tests/bench/client/floor.hpp"
#include "tests/bench/client/stopwatch.hpp"
#include "tests/bench/client/verbs.hpp"

namespace bench {

void drain_floor(const Arguments& arguments) {
    FloorConsumer consumer(arguments.text("url"), arguments.number("rows"));
    wait_for_start();
    const Stopwatch stopwatch;
    std::int64_t jobs = 0;
    while (const std::int64_t claimed = consumer.round()) jobs += claimed;
    stopwatch.report(jobs);
}

}  // namespace bench

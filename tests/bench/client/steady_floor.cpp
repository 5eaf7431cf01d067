// The floor of a queue that is filled and worked off at once: a producer and a consumer, a connection each.

#include "tests/bench/client/enqueue.hpp"
#include "tests/bench/client/floor.hpp"
#include "tests/bench/client/stopwatch.hpp"
#include "tests/bench/client/threads.hpp"
#include "tests/bench/client/verbs.hpp"

#include <atomic>
#include <span>

namespace bench {

void steady_floor(const Arguments& arguments) {
    FloorConsumer consumer(arguments.text("url"), arguments.number("rows"));
    FloorProducer producer(arguments.text("url"), arguments.number("bundle"));
    const std::vector<std::string> args = make_args(arguments.number("jobs"));
    const auto insert = [&](std::span<const std::string> some) { producer.copy(some); };
    wait_for_start();
    const Stopwatch stopwatch;
    std::atomic<bool> all_in = false;
    std::int64_t jobs = 0;
    run_threads(2, [&](std::size_t i) {
        if (i == 0) {
            consumer.consume(all_in, [&](std::int64_t done) { jobs += done; });
        } else {
            const SetAtEnd end{all_in};
            insert_in_calls(args, arguments.number("call"), insert);
        }
    });
    stopwatch.report(jobs);
}

}  // namespace bench

// The floor of a queue that is filled and worked off at once: a producer and a consumer, a connection each.

#include "tests/bench/client/enqueue.hpp"
#include "tests/bench/client/floor.hpp"
#include "tests/bench/client/stopwatch.hpp"
#include "tests/bench/client/verbs.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <thread>

namespace bench {

void steady_floor(const Arguments& arguments) {
    FloorConsumer consumer(arguments.text("url"), arguments.number("rows"));
    FloorProducer producer(arguments.text("url"), arguments.number("bundle"));
    const std::vector<std::string> args = make_args(arguments.number("jobs"));
    wait_for_start();
    const Stopwatch stopwatch;
    std::exception_ptr failure;
    std::atomic<bool> all_in = false;
    {
        const std::jthread thread([&] {
            try {
                insert_in_calls(args, arguments.number("call"), [&](std::span<const std::string> some) {
                    producer.insert(some);
                });
            } catch (...) {
                failure = std::current_exception();
            }
            all_in = true;
        });
        std::int64_t jobs = 0;
        while (true) {
            const bool last = all_in;  // before the look, which then sees everything
            const std::int64_t claimed = consumer.round();
            jobs += claimed;
            if (claimed == 0 && last) break;
            if (claimed == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        stopwatch.report(jobs);
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace bench

// The floor without its cursor, always with a backlog of single jobs: how a queue with SKIP LOCKED alone slows down
// while nobody may remove its dead rows.

#include "tests/bench/client/enqueue.hpp"
#include "tests/bench/client/floor.hpp"
#include "tests/bench/client/stopwatch.hpp"
#include "tests/bench/client/threads.hpp"
#include "tests/bench/client/verbs.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <vector>

namespace bench {

namespace {

// Jobs by the window in which their round ended.
class Windows {
public:
    Windows(int seconds, int window)
        : window_(window), jobs_(static_cast<std::size_t>(std::max(1, seconds / window))) {}

    void count(double second, std::int64_t jobs) {
        const auto at = static_cast<std::size_t>(second / window_);
        if (at < jobs_.size()) jobs_[at] += jobs;
    }

    // A member of JSON, in jobs a second.
    std::string member() const {
        std::string text = "\"windows\": [";
        for (const std::int64_t jobs : jobs_) {
            text += std::to_string(static_cast<double>(jobs) / window_);
            text += ',';
        }
        text.back() = ']';
        return text;
    }

private:
    int window_;
    std::vector<std::int64_t> jobs_;
};

}  // namespace

void plain_floor(const Arguments& arguments) {
    FloorConsumer consumer(arguments.text("url"), arguments.number("rows"), LookFrom::start);
    FloorProducer producer(arguments.text("url"), 1);
    const int backlog = arguments.number("backlog");
    const int seconds = arguments.number("seconds");
    const std::vector<std::string> args = make_args(backlog / 2);
    Windows windows(seconds, arguments.number("window"));
    wait_for_start();
    const Stopwatch stopwatch;
    std::atomic<bool> all_in = false;
    std::atomic<std::int64_t> done = 0;
    std::int64_t enqueued = 0;
    run_threads(2, [&](std::size_t i) {
        if (i == 0) {
            consumer.consume(all_in, [&](std::int64_t jobs) {
                done += jobs;
                windows.count(stopwatch.seconds(), jobs);
            });
            return;
        }
        const SetAtEnd end{all_in};
        while (stopwatch.seconds() < seconds) {
            if (enqueued - done < backlog) {
                producer.copy(args);
                enqueued += std::ssize(args);
            } else {
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
            }
        }
    });
    stopwatch.report(done, "\"enqueued\": " + std::to_string(enqueued) + ", " + windows.member());
}

}  // namespace bench

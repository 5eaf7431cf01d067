// Bulk enqueues: task_queue.enqueue_many, and the floor's bare INSERT or COPY of the same rows.

#include "tests/bench/client/enqueue.hpp"

#include "tests/bench/client/floor.hpp"
#include "tests/bench/client/payload.hpp"
#include "tests/bench/client/stopwatch.hpp"
#include "tests/bench/client/verbs.hpp"

#include <algorithm>
#include <stdexcept>

namespace bench {

std::vector<std::string> make_args(int jobs) {
    std::vector<std::string> args;
    args.reserve(static_cast<std::size_t>(jobs));
    for (int n = 0; n < jobs; ++n) args.push_back(random_args(static_cast<std::uint64_t>(n)));
    return args;
}

void insert_in_calls(
    std::span<const std::string> args, int jobs_a_call, const std::function<void(std::span<const std::string>)>& call
) {
    const auto size = static_cast<std::size_t>(jobs_a_call);
    for (std::size_t at = 0; at < args.size(); at += size) {
        call(args.subspan(at, std::min(size, args.size() - at)));
    }
}

void enqueue(const Arguments& arguments) {
    const Connection connection = connect(arguments.text("url"));
    PGconn* const session = connection.get();
    prepare(session, "enqueue", "select count(*) from task_queue.enqueue_many('noop', $1::json[])");
    const std::vector<std::string> args = make_args(arguments.number("jobs"));
    wait_for_start();
    const Stopwatch stopwatch;
    insert_in_calls(args, arguments.number("call"), [session](std::span<const std::string> some) {
        const std::string array = binary_array(some);
        send_prepared(session, "enqueue", {{array, true}});
        const Result answer = take_result(session);
        if (bigint_at(answer.get(), 0, 0) != std::ssize(some)) throw std::runtime_error("not all were enqueued");
    });
    stopwatch.report(std::ssize(args));
}

void enqueue_floor(const Arguments& arguments) {
    const bool by_copy = arguments.text("how") == "copy";
    FloorProducer producer(arguments.text("url"), arguments.number("bundle"));
    const std::vector<std::string> args = make_args(arguments.number("jobs"));
    wait_for_start();
    const Stopwatch stopwatch;
    insert_in_calls(args, arguments.number("call"), [&](std::span<const std::string> some) {
        by_copy ? producer.copy(some) : producer.insert(some);
    });
    stopwatch.report(std::ssize(args));
}

}  // namespace bench

#include "tests/bench/pool/run.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace asio = boost::asio;

namespace bench {

namespace {
const db::Statement one_sql{"bench_one", "select $1::integer"};
}  // namespace

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void run(asio::io_context& context, std::vector<asio::awaitable<void>> coroutines) {
    std::size_t running = coroutines.size();
    for (asio::awaitable<void>& one : coroutines) {
        asio::co_spawn(context, std::move(one), [&](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);
            if (--running == 0) context.stop();
        });
    }
    context.restart();
    context.run();
}

void run(asio::io_context& context, asio::awaitable<void> coroutine) {
    std::vector<asio::awaitable<void>> one;
    one.push_back(std::move(coroutine));
    run(context, std::move(one));
}

asio::awaitable<int> ask(db::Session& session, int number) {
    const db::Rows rows = co_await session.execute(one_sql, number);
    co_return rows.front().get<int>(0);
}

}  // namespace bench

#pragma once

// What the measures of tests/bench/run pool share.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start);
double median(std::vector<double> values);

// Runs the coroutines on this thread until all have ended.
void run(boost::asio::io_context& context, std::vector<boost::asio::awaitable<void>> coroutines);
void run(boost::asio::io_context& context, boost::asio::awaitable<void> coroutine);

// The statement of every measure, `select $1::integer`: prepared, its parameter sent, its row parsed.
boost::asio::awaitable<int> ask(db::Session& session, int number);

}  // namespace bench

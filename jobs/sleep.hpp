#pragma once

// How a coroutine waits that may be told to stop.

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <stop_token>

namespace jobs {

// Sleeps, but not past a request to stop: the token tells how it ended. Thread: any may ask it to stop.
boost::asio::awaitable<void> sleep_unless_stopped(std::chrono::milliseconds time, std::stop_token stop);

}  // namespace jobs

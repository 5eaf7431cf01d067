#pragma once

// Drives a coroutine to its end on a fresh context, so that test bodies are ordinary functions.

#include "tests/support/catch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace tests {

// Runs `function()`, an awaitable, and returns what it returns. Throws what it throws, and std::runtime_error when it
// has not ended within `limit`: a hung coroutine must not pass silently.
template <class Function>
auto run(boost::asio::io_context& context, Function function, std::chrono::seconds limit = std::chrono::seconds(20)) {
    using Result = typename std::invoke_result_t<Function&>::value_type;
    std::exception_ptr failure;
    bool done = false;
    context.restart();
    if constexpr (std::is_void_v<Result>) {
        boost::asio::co_spawn(context, std::move(function), [&](std::exception_ptr error) {
            failure = error;
            done = true;
            context.stop();
        });
    }
    std::optional<std::conditional_t<std::is_void_v<Result>, bool, Result>> result;
    if constexpr (!std::is_void_v<Result>) {
        boost::asio::co_spawn(
            context,
            [&]() -> boost::asio::awaitable<void> { result.emplace(co_await function()); },
            [&](std::exception_ptr error) {
                failure = error;
                done = true;
                context.stop();
            }
        );
    }
    context.run_for(limit);
    if (failure) std::rethrow_exception(failure);
    if (!done) throw std::runtime_error("the coroutine did not end in time");
    if constexpr (!std::is_void_v<Result>) return std::move(*result);
}

template <class Function>
auto run(Function function, std::chrono::seconds limit = std::chrono::seconds(20)) {
    boost::asio::io_context context;
    return run(context, std::move(function), limit);
}

}  // namespace tests

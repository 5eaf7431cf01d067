#pragma once

// The example of a native handler.

#include "jobs/handler.hpp"

#include <boost/describe.hpp>

#include <cstdint>
#include <optional>

namespace jobs::examples {

struct EchoArgs {
    std::optional<std::uint32_t> sleep_ms;    // how long the work takes
    std::optional<std::uint32_t> fail_times;  // so many attempts fail before one completes
};
BOOST_DESCRIBE_STRUCT(EchoArgs, (), (sleep_ms, fail_times))

// Completes with all of its args as the result. Stops sleeping when the context says so.
boost::asio::awaitable<Outcome> echo(JobContext& context, EchoArgs args);

}  // namespace jobs::examples

#pragma once

// What the SQL functions, which know no configuration, need of it: the worker that started last says it.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>

namespace queue {

struct Limits {
    std::size_t args = 0;  // bytes of one job
    // How long there is history. 0: none, neither of what a handler, a rescue or anybody's cancel ended.
    std::chrono::seconds keep_completed{};
    std::chrono::seconds keep_cancelled{};
};

// Throws: db::Error.
boost::asio::awaitable<void> set_limits(db::Session& session, Limits limits);

// Limits::args.
// Throws: db::Error.
boost::asio::awaitable<std::size_t> read_args_limit(db::Session& session);

}  // namespace queue

#pragma once

// All about one job, for `job show` and `dead show`.

#include "db/session.hpp"
#include "queue/ids.hpp"
#include "worker/cli/options.hpp"

#include <boost/asio/awaitable.hpp>

namespace worker::cli {

// Prints it. Throws: Failure (failed) when there is no such job; db::Error.
boost::asio::awaitable<int> show_job(db::Session& session, const Global& global, queue::JobId job);

// Throws: Failure (failed) that says so.
[[noreturn]] void refuse_unknown_job(queue::JobId job);

}  // namespace worker::cli

#pragma once

// All about one job, for `job show` and `dead show`.

#include "db/session.hpp"
#include "queue/ids.hpp"
#include "worker/cli/options.hpp"
#include "worker/config.hpp"

#include <boost/asio/awaitable.hpp>

namespace worker::cli {

// Prints it. `config` says what its handler allows. Throws: Failure (failed) when there is no such job; db::Error.
boost::asio::awaitable<int> show_job(
    db::Session& session, const Global& global, const Config& config, queue::JobId job
);

// Throws: Failure (failed) that says so.
[[noreturn]] void refuse_unknown_job(queue::JobId job);

}  // namespace worker::cli

#pragma once

// All about one batch, for `batch show`.

#include "db/session.hpp"
#include "worker/cli/options.hpp"

#include <boost/asio/awaitable.hpp>

namespace worker::cli {

// Prints it. Throws: Failure (failed) when there is no such batch; db::Error.
boost::asio::awaitable<int> show_batch(db::Session& session, const Global& global, const BatchCommand& command);

}  // namespace worker::cli

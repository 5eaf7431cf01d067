#pragma once

// Watching a batch until it has finished.

#include "db/session.hpp"
#include "queue/batches.hpp"
#include "worker/cli/options.hpp"
#include "worker/config.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace worker::cli {

// The batch of that id, or the newest of that name. Throws: Failure (failed) when there is none.
boost::asio::awaitable<queue::BatchStatus> find_batch(db::Session& session, std::string name_or_id);

// Shows its progress until the batch has finished: a live line on a terminal, elsewhere a line at every tenth of it or
// every few seconds, with --json an object for each change. Returns 0, or 1 when jobs were discarded or cancelled.
// Throws: db::Error; Failure when the batch is gone; Interrupted at Ctrl-C, when the session is of no use any more.
boost::asio::awaitable<int> watch_batch(db::Session& session, const Global& global, queue::BatchId batch);

// As watch_batch, on connections of its own: when the server goes away it waits for it, for a minute at most, and goes
// on. Ctrl-C says that the batch goes on.
int follow_batch(const Config& config, const Global& global, const queue::BatchId& batch);

}  // namespace worker::cli

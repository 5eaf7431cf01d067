#pragma once

// Watching a batch until it has finished.

#include "db/session.hpp"
#include "queue/batches.hpp"
#include "worker/cli/options.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace worker::cli {

// The batch of that id, or the newest of that name. Throws: Failure (failed) when there is none.
boost::asio::awaitable<queue::BatchStatus> find_batch(db::Session& session, std::string name_or_id);

// Shows the progress until the batch has finished: a live line on a terminal, elsewhere a line at every tenth of it or
// every few seconds, with --json an object for each change. Returns 0, or 1 when jobs were discarded or cancelled.
// Throws: db::Error; Failure when the batch is gone; Interrupted at Ctrl-C, when the session is of no use any more.
boost::asio::awaitable<int> watch_batch(db::Session& session, const Global& global, queue::BatchId batch);

// What Ctrl-C says of a batch that was being watched. Empty id: nothing.
void say_batch_goes_on(const queue::BatchId& batch);

}  // namespace worker::cli

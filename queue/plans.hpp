#pragma once

// Plans must not depend on luck: a statement prepared while the queue was empty becomes a full scan once it fills.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

namespace queue {

// Sets, until the end of the transaction, what the planner may choose for the statements that follow. Send it first in
// every transaction with a statement over bundles, in the same round trip:
//
//     co_await db::pipelined(session, queue::fix_plans(session), queue::finish_jobs(...), queue::claim_bundles(...));
//
// Transaction: the caller's, or the pipeline's; alone it has no effect.
// Throws:      db::Error.
boost::asio::awaitable<void> fix_plans(db::Session& session);

}  // namespace queue

#pragma once

// Rescue: the jobs of dead workers go back to the line.

#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

namespace queue {

struct Rescued {
    int rows = 0;         // taken from dead workers; as many as asked for: call again
    int jobs = 0;         // back in the line
    int suspects = 0;     // of these: to be run alone
    int quarantined = 0;  // dead letters now
    int cancelled = 0;    // had been asked to stop
};

// Takes at most `rows` running rows from workers declared dead, attempt refunded. On a row's first rescue its pending
// jobs go back as they are. From the second on each goes back as a row of its own in state suspect; and one that has
// struck three workers while it ran alone becomes a dead letter. Requests to cancel are carried out.
// Returns zeros when there is nothing to rescue. Rows that others have locked are left for the next call.
//
// Transaction: the caller's, after fix_plans. Locks bundles.
// Throws:      db::Error.
boost::asio::awaitable<Rescued> rescue_jobs(db::Session& session, int rows);

}  // namespace queue

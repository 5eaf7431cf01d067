#pragma once

// Promotion: scheduled and retryable jobs whose time has come join the line.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <vector>

namespace queue {

// A lane that rows came back to, and the lowest of them: claim cursors beyond it step back.
struct Refilled {
    QueueId queue{};
    std::int16_t priority = 4;
    RowId lowest{};
};

struct Promoted {
    int rows = 0;
    bool more = false;      // as many as asked for: call again
    db::TimePoint until{};  // the latest run_at among them: where the next call may start
    std::vector<Refilled> lanes{};
};

// Makes at most `rows` due rows available, earliest first, from those due at `after` or later. `after` is a cursor past
// dead index entries and never the truth: start a little before it, and from the beginning now and then.
// Returns zeros, and `after`, when nothing is due. Rows that others have locked are left for the next call.
//
// Transaction: the caller's, after fix_plans. Locks bundles.
// Throws:      db::Error.
boost::asio::awaitable<Promoted> promote_jobs(db::Session& session, db::TimePoint after, int rows);

}  // namespace queue

#pragma once

// What every worker asks each second or so: whether it leads, who lives and, to the leader, what there is to do.
// Leadership is a lease row on the database's clock; no session lock.

#include "db/session.hpp"
#include "queue/ids.hpp"
#include "queue/workers.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <vector>

namespace queue {

struct LookRequest {
    WorkerId worker{};
    std::chrono::milliseconds lease{};  // the lead ends so long after its last renewal
    RowId after{};                      // as leader: notifies workers that wait of rows above this one
    // As leader: where it looks for due jobs and for changes. Cursors past dead index entries, never the truth: begin
    // at the beginning now and then.
    db::TimePoint due_from{};
    std::int64_t changes_after = 0;
};

struct Look {
    bool leads = false;
    std::vector<SeenBeat> beats{};  // of every worker that lives
    std::int64_t connections = 0;   // that they may take
    // Only to the leader:
    std::optional<std::chrono::milliseconds> next_run{};  // until promote_jobs finds something; none: nothing waits
    bool changes = false;                                 // fold_batch_changes finds something
    bool batches = false;                                 // seal_due_batches or cancel_remaining_jobs may
    bool rescues = false;                                 // rescue_jobs does
    RowId last{};                                         // the base of the latest jobs enqueued
};

// Takes the lead when nobody has it, and renews it in the second half of its lease; a worker that has been declared
// dead never leads. One cheap statement, which writes only to take or renew the lead.
// Throws: db::Error.
boost::asio::awaitable<Look> look(db::Session& session, LookRequest request);

// Gives the lead up, so that another can take it at once. Nothing happens when the worker has it not.
// Throws: db::Error.
boost::asio::awaitable<void> yield_leadership(db::Session& session, WorkerId worker);

}  // namespace queue

#pragma once

// Releasing: a worker hands back what it did not start.

#include "db/session.hpp"
#include "queue/bundle.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <span>
#include <vector>

namespace queue {

// Jobs of a claimed row that were never started: all that are pending, or the tail of them.
struct Unstarted {
    RowId row{};
    ClaimNumber claim{};
    Mask jobs = 0;
    std::chrono::milliseconds after{0};  // due again then; entries of the same lease share the longest
};

// Puts jobs back into the line, or has them due again after a while, attempt refunded: the whole row, or, where other
// jobs of the row go on, the tail as a row of its own. Returns what went back, without `claim` rows whose lease was
// lost; a job below one that goes on is not the tail and stays. Requests to cancel stay with the jobs; the next claim
// shows them.
//
// Transaction: the caller's, after fix_plans. Locks bundles in the order of their ids and waits for them.
// Throws:      db::Error.
boost::asio::awaitable<std::vector<Unstarted>> release_jobs(
    db::Session& session, WorkerId worker, std::span<const Unstarted> unstarted
);

// Puts back every row of these claims, attempt refunded: claims whose answer was lost on the wire, so that nobody knows
// what they took. Returns how many rows went back; none when the claims never arrived.
//
// Transaction: the caller's, after fix_plans. Locks bundles in the order of their ids and waits for them.
// Throws:      db::Error.
boost::asio::awaitable<std::int64_t> release_claims(
    db::Session& session, WorkerId worker, std::span<const ClaimNumber> claims
);

}  // namespace queue

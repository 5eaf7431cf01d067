#pragma once

// Completing a job inside the transaction of its handler: the one outcome that is not written by a flush.

#include "db/error.hpp"
#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace queue {

struct Completion {
    WorkerId worker{};
    RowId row{};
    ClaimNumber claim{};
    std::optional<std::string> result{};  // JSON
    std::chrono::milliseconds took{0};    // how long the handler has run; history keeps when it started
    // The server ends the session when it waits for so long within the transaction: a client that vanished without a
    // word must not keep the row locked.
    std::chrono::milliseconds longest_idle{30'000};
    bool keep = true;  // false: no history of it, nor its result
};

// Completes the only job of a row, as finish_jobs would, when the transaction commits. Until then the row is locked:
// whoever cancels the job waits, a rescue passes over it.
//
// Transaction: the caller's, and explicit. Locks the row, then the job's progress.
// Throws:      db::Error, and the transaction can only be rolled back then; see below for its two own reasons.
boost::asio::awaitable<void> complete_job(db::Session& session, Completion completion);

bool is_lease_lost(const db::Error& error);  // others may have the job
bool is_shared_row(const db::Error& error);  // other jobs are pending in its row: its kind must have rows of its own

}  // namespace queue

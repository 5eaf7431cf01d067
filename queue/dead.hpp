#pragma once

// Dead letters: discarded jobs. To show one: read_job.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace queue {

// Which dead letters: those that match everything given, the newest first, at most `limit`.
struct DeadFilter {
    std::vector<JobId> jobs{};  // empty: any
    std::optional<std::string> kind{};
    std::optional<std::string> queue{};
    std::optional<BatchId> batch{};
    int limit = 1000;
};

// Where a dead letter stands in the order of their deaths.
struct DeadPlace {
    db::TimePoint died_at{};
    JobId job{};
};

struct DeadJob {
    JobId id{};
    std::string kind{};
    std::string queue{};
    std::optional<BatchId> batch{};
    int attempt = 0;  // of which it died
    std::string error{};
    std::string args{};  // JSON
    db::TimePoint created_at{};
    db::TimePoint died_at{};
};

// Throws: db::Error.
boost::asio::awaitable<std::vector<DeadJob>> list_dead_jobs(db::Session& session, DeadFilter filter = {});

// The next that match, the newest first, below a place: page by page each of those that are dead when the first page is
// read is seen once, however many die, or die again, meanwhile.
//
// Throws: db::Error.
boost::asio::awaitable<std::vector<DeadPlace>> find_dead_jobs(
    db::Session& session, DeadFilter filter, std::optional<DeadPlace> below
);

// Puts dead letters back into the line under their ids, with attempts anew, and returns their ids. Left dead are those
// of a batch that is being cancelled, and those whose unique_key belongs to a live job by now. The batch of a redriven
// job counts it as not discarded; when it had finished, its next round begins.
//
// Transaction: the caller's. Locks dead letters in the order of their ids, without waiting.
// Throws:      db::Error.
boost::asio::awaitable<std::vector<JobId>> redrive_dead_jobs(db::Session& session, DeadFilter filter);

// Deletes dead letters for good and returns how many. Their batches go on counting them as discarded.
//
// Transaction: the caller's.
// Throws:      db::Error.
boost::asio::awaitable<std::int64_t> purge_dead_jobs(db::Session& session, DeadFilter filter);

}  // namespace queue

#pragma once

// Reading jobs: all about one, or one line each about some.

#include "db/session.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace queue {

struct JobDetails {
    JobId id{};
    std::string kind{};
    std::string queue{};
    std::string state{};  // in words
    int priority = 4;
    int attempt = 0;  // begun so far
    int max_attempts = 20;
    std::optional<db::TimePoint> run_at{};  // of live jobs
    db::TimePoint created_at{};
    std::optional<db::TimePoint> claimed_at{};   // or, of ended jobs, started where that is known
    std::optional<db::TimePoint> finished_at{};  // or died
    std::optional<WorkerId> worker{};            // the one that has or had it last
    std::optional<BatchId> batch{};
    std::optional<std::string> unique_key{};
    bool cancel_requested = false;
    std::string args{};                   // JSON
    std::optional<std::string> result{};  // JSON
    std::optional<std::string> error{};   // why it was discarded
    std::optional<std::string> errors{};  // JSON: the latest failures, oldest first
    std::optional<std::string> meta{};    // JSON
    std::optional<std::int64_t> done{};   // task progress, while it runs
    std::optional<std::int64_t> total{};
    std::optional<std::string> message{};
};

// Everything about a job, live, ended or dead. Empty: no such job, or its history is gone.
// Throws: db::Error.
boost::asio::awaitable<std::optional<JobDetails>> read_job(db::Session& session, JobId job);

struct JobFilter {
    std::optional<std::string> kind{};
    std::optional<std::string> queue{};
    std::optional<std::string> state{};  // in words
    std::optional<BatchId> batch{};
    int limit = 50;
};

struct JobLine {
    JobId id{};
    std::string kind{};
    std::string queue{};
    std::string state{};  // in words
    int priority = 4;
    int attempt = 0;
    std::optional<BatchId> batch{};
    db::TimePoint created_at{};
    std::optional<db::TimePoint> finished_at{};
};

// The newest jobs that match, newest first. Live rows are found by index; history is read from its newest rows on until
// there are enough.
// Throws: db::Error.
boost::asio::awaitable<std::vector<JobLine>> list_jobs(db::Session& session, JobFilter filter = {});

}  // namespace queue

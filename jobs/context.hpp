#pragma once

// What a handler is given: its job, when to stop, and how to report.
//
// A context needs no database: a test builds one from a Job and, where it wants to look, its own ContextHooks.

#include "db/session.hpp"
#include "jobs/args.hpp"
#include "queue/ids.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace jobs {

struct Job {
    queue::JobId id{};
    std::string kind;
    std::string queue = "default";
    int attempt = 1;  // counted from 1
    int max_attempts = 20;
    std::optional<queue::BatchId> batch;
    Args args;
    std::string traceparent;  // W3C trace context of the enqueue, or empty
};

// Why a handler is asked to stop.
enum class StopReason { none, cancelled, timeout, lease_lost, shutdown };

// Task progress: units done of units total inside this job.
struct Progress {
    std::int64_t done = 0;
    std::int64_t total = 0;  // 0: not known
    std::string message;
};

// What a handler's log line is: a remark, or something to look at.
enum class LogLevel { info, warning };

// The job is not this worker's to finish any more. Let it pass: what the transaction did must be rolled back.
class LeaseLost : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// A result that cannot be stored. Let it pass: the job is discarded.
class ResultError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// How a context reaches the world. All may be empty. Thread: called on whatever thread the handler runs.
struct ContextHooks {
    std::function<void(const Job&, const Progress&)> on_progress{};
    std::function<void(const Job&, LogLevel, std::string_view line)> on_log{};
    // Lends a session of the worker's pool; `where` names its holder.
    std::function<boost::asio::awaitable<db::Session>(std::source_location where)> checkout{};
    // Completes the job inside the transaction of the session.
    std::function<boost::asio::awaitable<void>(const Job&, db::Session&, std::optional<boost::json::value> result)>
        complete_in{};
};

class JobContext {
public:
    explicit JobContext(Job job, ContextHooks hooks = {});
    // With hooks that many contexts share; they outlive this one.
    JobContext(Job job, const ContextHooks* shared);

    const Job& job() const { return job_; }
    std::optional<std::chrono::steady_clock::time_point> deadline() const { return deadline_; }
    // Fires when the job is cancelled, its time is up, its lease is lost or the worker stops hard.
    std::stop_token stop_token() const;
    StopReason stop_reason() const { return stop_reason_; }

    // Reports task progress. Cheap: the worker writes the latest at most once a second, and always the last.
    void progress(std::int64_t done, std::int64_t total, std::string message = {});

    // Writes one line, without its end, to the worker's log with the job's fields. Nothing without a hook.
    void log(LogLevel level, std::string_view line) const;

    // A session of the worker's pool, for as long as the caller keeps it: a short call, never the job's own long work.
    // One at a time.
    // Throws: db::Error as the pool does; std::logic_error in a context without a pool.
    boost::asio::awaitable<db::Session> checkout(std::source_location where = std::source_location::current());
    // Runs `function`, an awaitable, with such a session.
    template <class Function>
    auto with_session(Function function, std::source_location where = std::source_location::current())
        -> std::invoke_result_t<Function&, db::Session&> {
        db::Session session = co_await checkout(where);
        co_return co_await function(session);
    }

    // Completes the job inside the transaction that is open on `session`, so that what else it did happens exactly
    // once:
    //
    //     db::Session session = co_await context.checkout();
    //     co_await db::transact(session, [&](db::Session& inside) -> boost::asio::awaitable<void> {
    //         co_await pay(inside, args);
    //         co_await context.complete_in(inside);
    //     });
    //     co_return Complete{};
    //
    // The kind must declare own_row. Commit right after it: until then the job's row is locked, and the server ends a
    // session that waits for as long as the lease lives. Once it has committed, whatever the handler answers is not
    // looked at any more; when it was rolled back the job has not completed: answering Complete is a retry then, like
    // an error.
    //
    // Throws: LeaseLost, ResultError, db::Error; the transaction can only be rolled back then. std::logic_error without
    // a
    //         transaction, for a kind that does not declare own_row, in a context without a worker.
    boost::asio::awaitable<void> complete_in(db::Session& session, std::optional<boost::json::value> result = {});

    // For the worker: asks the handler to stop. The first reason stays. Thread: any.
    void request_stop(StopReason reason);
    void set_deadline(std::chrono::steady_clock::time_point deadline) { deadline_ = deadline; }
    // For the worker, once the handler has ended: the context serves another job of the same row, or its memory one of
    // another row.
    void renew(queue::JobId id, std::string_view args);
    Job take_job() && { return std::move(job_); }

private:
    Job job_;
    const ContextHooks own_hooks_;
    const ContextHooks* const hooks_;
    std::optional<std::chrono::steady_clock::time_point> deadline_;
    mutable std::mutex mutex_;                         // guards stop_
    mutable std::stop_source stop_{std::nostopstate};  // made for the first who asks: most handlers never do
    std::atomic<StopReason> stop_reason_{StopReason::none};
};

}  // namespace jobs

#pragma once

// All about one job: what it is (`job show`, `dead show`), why it does not run, and its end.

#include "db/session.hpp"
#include "queue/ids.hpp"
#include "queue/read_job.hpp"
#include "worker/cli/options.hpp"
#include "worker/config.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>

namespace worker::cli {

// Prints it. `config` says what its handler allows. Throws: Failure (failed) when there is no such job; db::Error.
boost::asio::awaitable<int> show_job(
    db::Session& session, const Global& global, const Config& config, queue::JobId job
);

// Prints why it does not run, or not yet. `config` as for show_job. Throws: as show_job.
boost::asio::awaitable<int> explain_job(
    db::Session& session, const Global& global, const Config& config, queue::JobId job
);

// Waits until it has ended; prints and returns how: 0 for completed. Throws: as show_job; Failure (failed) after the
// timeout, and when its history is not kept.
boost::asio::awaitable<int> wait_for_job(
    db::Session& session, const Global& global, queue::JobId job, std::optional<std::chrono::milliseconds> timeout
);

// Throws: Failure (usage) when it is said neither by number nor by a filter, or by both.
void check_what_to_cancel(const JobCommand& command);

// Cancels jobs by number, or those that match. Throws: as show_job.
boost::asio::awaitable<int> cancel_jobs(db::Session& session, const Global& global, const JobCommand& command);

// Which jobs the options mean. Throws: Failure (failed) when there is no such batch; db::Error.
boost::asio::awaitable<queue::JobFilter> make_filter(db::Session& session, const JobCommand& command);

// Throws: Failure (failed) that says so.
[[noreturn]] void refuse_unknown_job(queue::JobId job);

}  // namespace worker::cli

// `job cancel`: jobs by number, or all that match.

#include "db/transaction.hpp"
#include "queue/cancel.hpp"
#include "worker/cli/cancel_words.hpp"
#include "worker/cli/count_text.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/job.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/redrive.hpp"
#include "worker/cli/terminal.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker::cli {

namespace {

constexpr int rows_at_once = 1'000;   // of one statement
constexpr int most_idle_rounds = 20;  // with 100 ms before each

// Prints what became of it, and returns whether it will not go on.
asio::awaitable<bool> cancel_one(db::Session& session, const Global& global, queue::JobId job) {
    const queue::CancelAnswer answer =
        co_await db::transact(session, [&](db::Session& inside) { return queue::cancel_job(inside, job); });
    std::string_view word = "cancelled";
    std::string_view said = "cancelled";
    switch (answer) {
        case queue::CancelAnswer::cancelled:
            break;
        case queue::CancelAnswer::stopping:
            word = "stopping";
            said = "is running and was asked to stop";
            break;
        case queue::CancelAnswer::finished:
            word = "finished";
            said = "had ended before";
            break;
        case queue::CancelAnswer::not_found:
            refuse_unknown_job(job);
    }
    const auto number = static_cast<std::int64_t>(job);
    if (global.json) {
        fmt::print("{}\n", JsonObject().add("job", number).add("answer", word).text());
    } else if (!global.quiet) {
        fmt::print("job {} {}\n", number, said);
    }
    co_return answer != queue::CancelAnswer::finished;
}

asio::awaitable<int> cancel_each(db::Session& session, const Global& global, const JobCommand& command) {
    int code = exit_ok;
    for (const queue::JobId job : command.jobs) {
        bool stops = false;
        try {
            stops = co_await cancel_one(session, global, job);
        } catch (const Failure& refusal) {
            complain(refusal.what());
        }
        if (!stops) code = exit_failed;
    }
    co_return code;
}

struct Cancelled {
    std::int64_t cancelled = 0;
    std::int64_t stopping = 0;
    std::int64_t left = 0;  // in rows that somebody has locked all the while
};

// Once through the rows there are. Returns how many jobs it had something to do with.
asio::awaitable<std::int64_t> cancel_round(
    db::Session& session, const queue::JobFilter& filter, queue::RowId upto, Cancelled& sum, LiveLine& live
) {
    const std::int64_t before = sum.cancelled + sum.stopping;
    std::optional<queue::RowId> place = queue::RowId{0};
    while (place) {
        const queue::CancelStep step = co_await queue::cancel_jobs(session, filter, *place, upto);
        sum.cancelled += step.cancelled;
        sum.stopping += step.stopping;
        place = step.last;
        if (live.is_due()) live.draw("cancelling  " + count_of(sum.cancelled, "job"));
    }
    co_return sum.cancelled + sum.stopping - before;
}

// Every job that matched when it began, in transactions of bounded size. Rows that are in use, and jobs that move to
// other rows meanwhile, are looked at again.
asio::awaitable<Cancelled> cancel_all(
    db::Session& session, const Global& global, queue::JobFilter filter, queue::RowId upto
) {
    filter.limit = rows_at_once;
    LiveLine live(stderr, progress_terminal(global));
    asio::steady_timer timer(co_await asio::this_coro::executor);
    Cancelled sum;
    for (int idle = 0; idle < most_idle_rounds;) {
        const std::int64_t done = co_await cancel_round(session, filter, upto, sum, live);
        const queue::Cancellable rest = co_await queue::count_cancellable_jobs(session, filter, upto);
        sum.left = rest.waiting + rest.running;
        if (sum.left == 0) break;
        if (done != 0) continue;
        ++idle;
        timer.expires_after(100ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
    live.erase();
    co_return sum;
}

asio::awaitable<int> cancel_matching(db::Session& session, const Global& global, const JobCommand& command) {
    const queue::JobFilter filter = co_await make_filter(session, command);
    const queue::Cancellable found = co_await queue::count_cancellable_jobs(session, filter);
    Cancelled sum{.cancelled = found.waiting, .stopping = found.running};
    const bool any = found.waiting + found.running > 0;
    if (!command.dry_run && any) {
        if (!command.yes && !may_cancel(found, "job cancel")) co_return exit_failed;
        sum = co_await cancel_all(session, global, filter, found.newest);
    }
    if (global.json) {
        JsonObject object;
        object.add("cancelled", sum.cancelled).add("stopping", sum.stopping).add("left", sum.left);
        fmt::print("{}\n", object.add("dry_run", command.dry_run).text());
    } else if (!global.quiet) {
        const std::string text = command.dry_run ? "would " + words_to_cancel(sum.cancelled, sum.stopping)
                                                 : words_of_cancelled(sum.cancelled, sum.stopping);
        fmt::print("{}\n", text);
    }
    if (sum.left > 0) {
        complain(fmt::format("{} left, in rows that are in use: run it again", count_of(sum.left, "job")));
    }
    co_return any&& sum.left == 0 ? exit_ok : exit_failed;
}

}  // namespace

void check_what_to_cancel(const JobCommand& command) {
    const bool filtered = command.kind || command.queue || command.state || command.batch || command.all;
    if (filtered && !command.jobs.empty()) {
        throw Failure(exit_usage, "which jobs? Give their numbers, or what they have in common, not both");
    }
    if (!filtered && command.jobs.empty()) {
        throw Failure(exit_usage, "which jobs? Give their numbers, --kind, --queue, --state, --batch, or --all");
    }
    if (command.dry_run && !filtered) throw Failure(exit_usage, "--dry-run counts what matches: give no numbers");
}

asio::awaitable<int> cancel_jobs(db::Session& session, const Global& global, const JobCommand& command) {
    return command.jobs.empty() ? cancel_matching(session, global, command) : cancel_each(session, global, command);
}

}  // namespace worker::cli

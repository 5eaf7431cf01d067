// `batch`: list, show, watch, seal, cancel.

#include "db/transaction.hpp"
#include "queue/batches.hpp"
#include "queue/dead.hpp"
#include "worker/cli/batch_text.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/details.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/table.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"
#include "worker/cli/watch.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <string>
#include <vector>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

std::string number_of(queue::JobId job) {
    return std::to_string(static_cast<std::int64_t>(job));
}

asio::awaitable<int> list(db::Session& session, const Global& global, const BatchCommand& command) {
    std::vector<Cells> rows;
    std::vector<std::string> objects;
    const auto batches =
        co_await queue::list_batches(session, {.state = command.state, .name = {}, .limit = command.limit});
    for (const queue::BatchStatus& batch : batches) {
        objects.push_back(batch_json(batch).text());
        rows.push_back(
            {batch.name,
             batch.id,
             batch.state,
             fmt::format("{}/{}", ended_jobs(batch), batch.total),
             std::to_string(failed_jobs(batch)),
             show_time(batch.created_at)}
        );
    }
    if (global.json) {
        fmt::print("{}\n", json_array(objects));
    } else if (rows.empty()) {
        if (!global.quiet) fmt::print("no batches\n");
    } else {
        const std::vector<Column> columns{
            {.title = "NAME", .shrinks = true},
            {.title = "ID", .shrinks = true},
            {.title = "STATE"},
            {.title = "ENDED", .right = true},
            {.title = "FAILED", .right = true},
            {.title = "MADE"}
        };
        fmt::print("{}", render_table(columns, rows, table_width()));
    }
    co_return exit_ok;
}

// Everything that `show` shows.
struct Story {
    queue::BatchStatus batch;
    queue::BatchCallbacks callbacks;
    std::vector<queue::SlowJob> slowest;
    std::vector<queue::DeadJob> failures;
};

std::string story_json(const Story& story) {
    std::vector<std::string> slowest;
    for (const queue::SlowJob& job : story.slowest) {
        JsonObject object;
        object.add("job", job.job).add("kind", job.kind).add("run_ms", job.run_time.count()).add("jobs", job.jobs);
        slowest.push_back(object.add_json("args", job.args).text());
    }
    std::vector<std::string> failures;
    for (const queue::DeadJob& job : story.failures) {
        JsonObject object;
        object.add("job", job.id).add("kind", job.kind).add("attempt", job.attempt).add("error", job.error);
        failures.push_back(object.add("died_at", job.died_at).add_json("args", job.args).text());
    }
    JsonObject callbacks;
    callbacks.add("on_finish", story.callbacks.on_finish).add("on_success", story.callbacks.on_success);
    callbacks.add("on_failure", story.callbacks.on_failure);
    JsonObject object = batch_json(story.batch);
    object.add_json("callbacks", callbacks.text());
    object.add_json("slowest", json_array(slowest));
    return object.add_json("failures", json_array(failures)).text();
}

std::string counts_text(const queue::BatchStatus& batch) {
    std::string text = fmt::format("{} completed, {} discarded", batch.completed, batch.discarded);
    if (batch.cancelled > 0) text += fmt::format(", {} cancelled", batch.cancelled);
    if (batch.running > 0) text += fmt::format(", {} running", batch.running);
    if (batch.waiting > 0) text += fmt::format(", {} waiting", batch.waiting);
    return text;
}

std::string span_between(db::TimePoint from, db::TimePoint to) {
    return show_span(std::chrono::duration_cast<std::chrono::milliseconds>(to - from));
}

void print_story(const Global& global, const Story& story) {
    const queue::BatchStatus& batch = story.batch;
    const Terminal terminal = inspect_terminal(STDOUT_FILENO, global.no_color);
    const Colour colour = failed_jobs(batch) > 0 ? Colour::red : Colour::green;
    const bool coloured = terminal.colours && (failed_jobs(batch) > 0 || batch.finished_at);
    fmt::print("{}\n\n", paint(batch_line(batch, terminal.columns), colour, coloured));
    Details details;
    details.add("id", batch.id).add("state", batch.state);
    if (batch.round > 1) details.add("round", std::to_string(batch.round));
    details.add("jobs", fmt::format("{}: {}", batch.total, counts_text(batch)));
    if (!batch.finished_at) details.add("recent rate", show_rate(batch.recent_rate));
    details.add("overall rate", show_rate(batch.overall_rate));
    if (batch.eta && !batch.finished_at) details.add("time left", "about " + show_span(*batch.eta));
    details.add("made", show_time(batch.created_at)).add_time("sealed", batch.sealed_at);
    if (batch.finished_at) {
        details.add(
            "finished",
            fmt::format(
                "{}, after {}", show_time(*batch.finished_at), span_between(batch.created_at, *batch.finished_at)
            )
        );
    }
    details.add("on finish", story.callbacks.on_finish).add("on success", story.callbacks.on_success);
    details.add("on failure", story.callbacks.on_failure);
    if (batch.meta && *batch.meta != "{}") details.add("meta", *batch.meta);
    fmt::print("{}", details.text());

    if (!story.slowest.empty()) {
        std::vector<Cells> rows;
        for (const queue::SlowJob& job : story.slowest) {
            const std::string of = job.jobs > 1 ? fmt::format(" (mean of {})", job.jobs) : "";
            rows.push_back({number_of(job.job), job.kind, show_span(job.run_time) + of, job.args});
        }
        const std::vector<Column> columns{
            {.title = "JOB", .right = true},
            {.title = "KIND", .shrinks = true},
            {.title = "RUN TIME", .right = true},
            {.title = "ARGS", .shrinks = true}
        };
        fmt::print("\nSlowest jobs\n{}", render_table(columns, rows, table_width()));
    }
    if (!story.failures.empty()) {
        std::vector<Cells> rows;
        for (const queue::DeadJob& job : story.failures) {
            rows.push_back({number_of(job.id), job.kind, std::to_string(job.attempt), job.error, job.args});
        }
        const std::vector<Column> columns{
            {.title = "JOB", .right = true},
            {.title = "KIND", .shrinks = true},
            {.title = "ATTEMPT", .right = true},
            {.title = "ERROR", .shrinks = true},
            {.title = "ARGS", .shrinks = true}
        };
        fmt::print("\nFailures\n{}", render_table(columns, rows, table_width()));
        const auto more = batch.discarded - static_cast<std::int64_t>(story.failures.size());
        if (more > 0) fmt::print("and {} more: task-worker dead list --batch {}\n", more, batch.id);
    }
}

asio::awaitable<int> show(db::Session& session, const Global& global, const BatchCommand& command) {
    Story story;
    story.batch = co_await find_batch(session, command.batch);
    const queue::BatchId id = story.batch.id;
    story.callbacks = co_await queue::read_batch_callbacks(session, id);
    if (command.slowest > 0) story.slowest = co_await queue::list_slow_jobs(session, id, command.slowest);
    if (command.failures > 0 && story.batch.discarded > 0) {
        story.failures =
            co_await queue::list_dead_jobs(session, {.jobs = {}, .kind = {}, .batch = id, .limit = command.failures});
    }
    if (global.json) {
        fmt::print("{}\n", story_json(story));
    } else {
        print_story(global, story);
    }
    co_return exit_ok;
}

asio::awaitable<int> seal(db::Session& session, const Global& global, const BatchCommand& command) {
    const queue::BatchStatus batch = co_await find_batch(session, command.batch);
    const bool sealed = co_await queue::seal_batch(session, batch.id);
    if (global.json) {
        fmt::print("{}\n", JsonObject().add("id", batch.id).add("sealed", sealed).text());
    } else if (!global.quiet) {
        fmt::print("batch {} {}\n", batch_name(batch), sealed ? "sealed" : "was sealed before");
    }
    co_return exit_ok;
}

asio::awaitable<int> cancel(db::Session& session, const Global& global, const BatchCommand& command) {
    const queue::BatchStatus batch = co_await find_batch(session, command.batch);
    const queue::CancelledBatch answer =
        co_await db::transact(session, [&](db::Session& inside) { return queue::cancel_batch(inside, batch.id); });
    if (global.json) {
        JsonObject object;
        object.add("id", batch.id).add("cancelled", answer.cancelled).add("stopping", answer.stopping);
        fmt::print("{}\n", object.text());
    } else if (batch.finished_at) {
        fmt::print("batch {} had finished before: nothing to cancel\n", batch_name(batch));
    } else if (!global.quiet) {
        fmt::print(
            "batch {}: {} jobs cancelled, {} running ones asked to stop\n",
            batch_name(batch),
            answer.cancelled,
            answer.stopping
        );
    }
    co_return exit_ok;
}

asio::awaitable<int> watch(
    db::Session& session, const Global& global, const BatchCommand& command, queue::BatchId& watched
) {
    const queue::BatchStatus batch = co_await find_batch(session, command.batch);
    watched = batch.id;
    if (batch.state == "open") {
        complain("the batch is open, so it will not finish: seal it with task-worker batch seal " + batch.id);
    }
    co_return co_await watch_batch(session, global, batch.id);
}

}  // namespace

int perform(const Global& global, const BatchCommand& command) {
    const LoadedConfig loaded = load(global);
    queue::BatchId watched;
    try {
        return with_session(loaded.config, {}, [&](db::Session& session) {
            switch (command.action) {
                case BatchCommand::Action::show:
                    return show(session, global, command);
                case BatchCommand::Action::watch:
                    return watch(session, global, command, watched);
                case BatchCommand::Action::seal:
                    return seal(session, global, command);
                case BatchCommand::Action::cancel:
                    return cancel(session, global, command);
                case BatchCommand::Action::list:
                    break;
            }
            return list(session, global, command);
        });
    } catch (const Interrupted&) {
        say_batch_goes_on(watched);
        throw;
    }
}

}  // namespace worker::cli

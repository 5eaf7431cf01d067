#include "worker/cli/batch_show.hpp"

#include "queue/batches.hpp"
#include "queue/dead.hpp"
#include "worker/cli/batch_text.hpp"
#include "worker/cli/details.hpp"
#include "worker/cli/error_text.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/kinds.hpp"
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

// Everything that `show` shows.
struct Story {
    queue::BatchStatus batch;
    queue::BatchCallbacks callbacks;
    std::vector<queue::SlowJob> slowest;
    std::vector<queue::DeadJob> failures;
    Waits waits;
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
    std::vector<std::string> unserved;
    for (const Unserved& one : story.waits.unserved) {
        JsonObject waiting;
        unserved.push_back(waiting.add("kind", one.kind).add("queue", one.queue).add("reason", one.reason).text());
    }
    object.add_json("unserved", json_array(unserved)).add("due_at", story.waits.due_at);
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

void print_slowest(const std::vector<queue::SlowJob>& slowest) {
    std::vector<Cells> rows;
    for (const queue::SlowJob& job : slowest) {
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

void print_failures(const std::vector<queue::DeadJob>& failures, const queue::BatchStatus& batch) {
    std::vector<Cells> rows;
    for (const queue::DeadJob& job : failures) {
        rows.push_back({number_of(job.id), job.kind, std::to_string(job.attempt), telling_line(job.error), job.args});
    }
    const std::vector<Column> columns{
        {.title = "JOB", .right = true},
        {.title = "KIND", .shrinks = true},
        {.title = "ATTEMPT", .right = true},
        {.title = "ERROR", .shrinks = true},
        {.title = "ARGS", .shrinks = true}
    };
    fmt::print("\nFailures\n{}", render_table(columns, rows, table_width()));
    const auto more = batch.discarded - static_cast<std::int64_t>(failures.size());
    if (more > 0) fmt::print("and {} more: task-worker dead list --batch {}\n", more, batch.id);
    if (batch.state != "cancelled") fmt::print("run them again: task-worker batch redrive {}\n", batch.id);
}

void print_story(const Global& global, const Story& story) {
    const queue::BatchStatus& batch = story.batch;
    const Terminal terminal = inspect_terminal(STDOUT_FILENO, global.no_color);
    const std::string line = batch_line(batch, terminal.columns, terminal.colours);
    fmt::print("{}\n\n", line);
    Details details;
    if (!line.starts_with(batch_name(batch) + " ")) details.add_prose("name", batch_name(batch));  // cut
    details.add("id", batch.id).add("state", batch.state);
    if (batch.round > 1) details.add("round", std::to_string(batch.round));
    details.add("jobs", fmt::format("{}: {}", batch.total, counts_text(batch)));
    for (const std::string& reason : reasons_of(story.waits.unserved)) details.add_prose("attention", reason);
    if (batch.running == 0) details.add_time("next due", story.waits.due_at);
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
    fmt::print("{}", details.text(table_width()));

    if (!story.slowest.empty()) print_slowest(story.slowest);
    if (!story.failures.empty()) print_failures(story.failures, batch);
}

}  // namespace

asio::awaitable<int> show_batch(db::Session& session, const Global& global, const BatchCommand& command) {
    Story story;
    story.batch = co_await find_batch(session, command.batch);
    const queue::BatchId id = story.batch.id;
    story.callbacks = co_await queue::read_batch_callbacks(session, id);
    if (story.batch.waiting > 0) story.waits = co_await read_waits(session, id);
    if (command.slowest > 0) story.slowest = co_await queue::list_slow_jobs(session, id, command.slowest);
    if (command.failures > 0 && story.batch.discarded > 0) {
        story.failures = co_await queue::list_dead_jobs(
            session, {.jobs = {}, .kind = {}, .queue = {}, .batch = id, .limit = command.failures}
        );
    }
    if (global.json) {
        fmt::print("{}\n", story_json(story));
    } else {
        print_story(global, story);
    }
    co_return exit_ok;
}

}  // namespace worker::cli

#include "queue/read_job.hpp"
#include "queue/workers.hpp"
#include "worker/cli/details.hpp"
#include "worker/cli/error_text.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/job.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/kinds.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"
#include "worker/registry.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

bool waits(const queue::JobDetails& job) {
    return job.state == "available" || job.state == "scheduled" || job.state == "retryable";
}

// Everything that is shown.
struct Story {
    queue::JobDetails job;
    std::optional<int> handler_limit;  // of attempts, where this configuration's handler has one
    std::string unserved;              // why no live worker takes it; empty when one does, or it does not wait
    std::string discarded_because;
};

Story tell(queue::JobDetails job, std::optional<int> handler_limit, const std::vector<queue::Worker>& workers) {
    Story story{.job = std::move(job), .handler_limit = handler_limit, .unserved = {}, .discarded_because = {}};
    if (waits(story.job)) story.unserved = why_unserved(story.job.kind, story.job.queue, workers);
    if (story.job.state == "discarded") story.discarded_because = discard_reason(story.job, story.handler_limit);
    return story;
}

std::optional<std::string_view> unless_empty(std::string_view text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

std::string job_json(const Story& story) {
    const queue::JobDetails& job = story.job;
    JsonObject object;
    object.add("id", job.id).add("kind", job.kind).add("queue", job.queue).add("state", job.state);
    object.add("priority", job.priority).add("attempt", job.attempt).add("batch", job.batch);
    object.add("created_at", job.created_at).add("finished_at", job.finished_at);
    object.add("max_attempts", job.max_attempts);
    object.add("max_attempts_in_force", attempts_in_force(job, story.handler_limit));
    object.add("run_at", job.run_at).add("claimed_at", job.claimed_at);
    object.add("worker", job.worker).add("unique_key", job.unique_key).add("cancel_requested", job.cancel_requested);
    object.add("unserved", unless_empty(story.unserved)).add_json("args", job.args).add_json("result", job.result);
    object.add("discarded_because", unless_empty(story.discarded_because)).add("error", job.error);
    object.add_json("errors", job.errors).add_json("meta", job.meta);
    std::optional<std::string> progress;
    if (job.done) {
        progress = JsonObject().add("done", job.done).add("total", job.total).add("message", job.message).text();
    }
    return object.add_json("progress", progress).text();
}

std::string attempt_text(const Story& story) {
    const int in_force = attempts_in_force(story.job, story.handler_limit);
    std::string text = fmt::format("{} of {}", story.job.attempt, in_force);
    if (in_force != story.job.max_attempts) {
        text += fmt::format(" (the handler's max_attempts; enqueued with {})", story.job.max_attempts);
    }
    return text;
}

std::string progress_text(const queue::JobDetails& job) {
    if (!job.done) return {};
    const std::int64_t total = job.total.value_or(0);
    const std::string message = job.message ? "  " + printable(*job.message) : std::string();
    if (total <= 0) return fmt::format("{} done{}", *job.done, message);
    const double share = static_cast<double>(*job.done) / static_cast<double>(total);
    return fmt::format("{} {}/{}{}", draw_bar(share, 20), *job.done, total, message);
}

void print_story(const Global& global, const Story& story) {
    const queue::JobDetails& job = story.job;
    const Terminal terminal = inspect_terminal(STDOUT_FILENO, global.no_color);
    constexpr int names = 18;
    const auto width = static_cast<std::size_t>(std::max(terminal.columns - names, 40));
    Details details;
    details.add("job", std::to_string(static_cast<std::int64_t>(job.id)));
    details.add("kind", printable(job.kind)).add("queue", printable(job.queue));
    details.add("state", job.state + (job.cancel_requested ? ", asked to stop" : ""));
    details.add_prose("because", story.discarded_because).add_prose("attention", story.unserved);
    details.add("progress", progress_text(job));
    details.add("attempt", attempt_text(story));
    details.add("priority", std::to_string(job.priority));
    details.add("batch", job.batch);
    if (job.unique_key) details.add("unique key", printable(*job.unique_key));
    if (job.worker) details.add("worker", std::to_string(static_cast<std::int64_t>(*job.worker)));
    details.add("made", show_time(job.created_at)).add_time("due", job.run_at);
    details.add_time("started", job.claimed_at).add_time("ended", job.finished_at);
    if (job.claimed_at && job.finished_at) {
        const auto ran = std::chrono::duration_cast<std::chrono::milliseconds>(*job.finished_at - *job.claimed_at);
        details.add("run time", show_span(ran));
    }
    details.add("args", pretty_json(job.args, width));
    if (job.result) details.add("result", pretty_json(*job.result, width));
    if (job.error) details.add_prose("error", printable_lines(*job.error));
    if (job.errors) details.add_prose("errors", failures_text(*job.errors, job.error.value_or("")));
    if (job.meta && *job.meta != "{}") details.add("meta", pretty_json(*job.meta, width));
    fmt::print("{}", details.text(table_width()));
}

}  // namespace

void refuse_unknown_job(queue::JobId job) {
    throw Failure(
        exit_failed,
        fmt::format(
            "there is no job {}: its history may be gone; see task-worker job list", static_cast<std::int64_t>(job)
        )
    );
}

asio::awaitable<int> show_job(db::Session& session, const Global& global, const Config& config, queue::JobId id) {
    auto found = co_await queue::read_job(session, id);
    if (!found) refuse_unknown_job(id);
    const std::vector<queue::Worker> workers = co_await queue::read_workers(session);
    const auto policy = find_policy(config, global.add_kinds, found->kind);
    const Story story = tell(std::move(*found), policy ? policy->max_attempts : std::nullopt, workers);
    if (global.json) {
        fmt::print("{}\n", job_json(story));
    } else {
        print_story(global, story);
    }
    co_return exit_ok;
}

}  // namespace worker::cli

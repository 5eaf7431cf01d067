#include "queue/read_job.hpp"
#include "worker/cli/details.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/job.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <string>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

std::string job_json(const queue::JobDetails& job) {
    JsonObject object;
    object.add("id", job.id).add("kind", job.kind).add("queue", job.queue).add("state", job.state);
    object.add("priority", job.priority).add("attempt", job.attempt).add("batch", job.batch);
    object.add("created_at", job.created_at).add("finished_at", job.finished_at);
    object.add("max_attempts", job.max_attempts).add("run_at", job.run_at).add("claimed_at", job.claimed_at);
    object.add("worker", job.worker).add("unique_key", job.unique_key).add("cancel_requested", job.cancel_requested);
    object.add_json("args", job.args).add_json("result", job.result).add("error", job.error);
    object.add_json("errors", job.errors).add_json("meta", job.meta);
    std::optional<std::string> progress;
    if (job.done) {
        progress = JsonObject().add("done", job.done).add("total", job.total).add("message", job.message).text();
    }
    return object.add_json("progress", progress).text();
}

std::string progress_text(const queue::JobDetails& job) {
    if (!job.done) return {};
    const std::int64_t total = job.total.value_or(0);
    const std::string message = job.message ? "  " + printable(*job.message) : std::string();
    if (total <= 0) return fmt::format("{} done{}", *job.done, message);
    const double share = static_cast<double>(*job.done) / static_cast<double>(total);
    return fmt::format("{} {}/{}{}", draw_bar(share, 20), *job.done, total, message);
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

asio::awaitable<int> show_job(db::Session& session, const Global& global, queue::JobId id) {
    const auto found = co_await queue::read_job(session, id);
    if (!found) refuse_unknown_job(id);
    const queue::JobDetails& job = *found;
    if (global.json) {
        fmt::print("{}\n", job_json(job));
        co_return exit_ok;
    }
    const Terminal terminal = inspect_terminal(STDOUT_FILENO, global.no_color);
    constexpr int names = 18;
    const auto width = static_cast<std::size_t>(std::max(terminal.columns - names, 40));
    Details details;
    details.add("job", std::to_string(static_cast<std::int64_t>(job.id)));
    details.add("kind", printable(job.kind)).add("queue", printable(job.queue));
    details.add("state", job.state + (job.cancel_requested ? ", asked to stop" : ""));
    details.add("progress", progress_text(job));
    details.add("attempt", fmt::format("{} of {}", job.attempt, job.max_attempts));
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
    if (job.error) details.add("error", printable(*job.error));
    if (job.errors && *job.errors != "[]") details.add("errors", pretty_json(*job.errors, width));
    if (job.meta && *job.meta != "{}") details.add("meta", pretty_json(*job.meta, width));
    fmt::print("{}", details.text());
    co_return exit_ok;
}

}  // namespace worker::cli

// `job`: list, show, why, wait, cancel.

#include "worker/cli/job.hpp"

#include "queue/read_job.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/newest.hpp"
#include "worker/cli/table.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"
#include "worker/cli/watch.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <vector>

namespace asio = boost::asio;

namespace worker::cli {

asio::awaitable<queue::JobFilter> make_filter(db::Session& session, const JobCommand& command) {
    queue::JobFilter filter{
        .kind = command.kind, .queue = command.queue, .state = command.state, .batch = {}, .limit = command.limit
    };
    if (command.batch) {
        const queue::BatchStatus batch = co_await find_batch(session, *command.batch);
        filter.batch = batch.id;
    }
    co_return filter;
}

namespace {

std::chrono::milliseconds since_made(const queue::JobLine& job) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(*job.finished_at - job.created_at);
}

asio::awaitable<int> list(db::Session& session, const Global& global, const JobCommand& command) {
    const queue::JobFilter filter = co_await make_filter(session, command);
    std::vector<Cells> rows;
    std::vector<std::string> objects;
    for (const queue::JobLine& job : co_await queue::list_jobs(session, filter)) {
        JsonObject object;
        object.add("id", job.id).add("kind", job.kind).add("queue", job.queue).add("state", job.state);
        object.add("priority", job.priority).add("attempt", job.attempt).add("batch", job.batch);
        objects.push_back(object.add("created_at", job.created_at).add("finished_at", job.finished_at).text());
        rows.push_back(
            {std::to_string(static_cast<std::int64_t>(job.id)),
             job.kind,
             job.queue,
             job.state,
             std::to_string(job.attempt),
             show_time(job.created_at),
             job.finished_at ? "in " + show_short_span(since_made(job)) : "-"}
        );
    }
    if (global.json) {
        fmt::print("{}\n", json_array(objects));
    } else if (rows.empty()) {
        if (!global.quiet) fmt::print("no jobs\n");
    } else {
        const std::vector<Column> columns{
            {.title = "JOB", .right = true},
            {.title = "KIND", .shrinks = true},
            {.title = "QUEUE", .shrinks = true},
            {.title = "STATE"},
            {.title = "TRY", .right = true},
            {.title = "MADE"},
            {.title = "ENDED"}
        };
        fmt::print("{}", render_table(columns, rows, table_width()));
        note_more(global, rows.size(), filter.limit);
    }
    co_return exit_ok;
}

}  // namespace

int perform(const Global& global, const JobCommand& command) {
    if (command.action == JobCommand::Action::cancel) check_what_to_cancel(command);
    const LoadedConfig loaded = load(global);
    return with_session(loaded.config, {}, [&](db::Session& session) {
        switch (command.action) {
            case JobCommand::Action::show:
                return show_job(session, global, loaded.config, command.job);
            case JobCommand::Action::why:
                return explain_job(session, global, loaded.config, command.job);
            case JobCommand::Action::wait:
                return wait_for_job(session, global, command.job, command.timeout);
            case JobCommand::Action::cancel:
                return cancel_jobs(session, global, command);
            case JobCommand::Action::list:
                break;
        }
        return list(session, global, command);
    });
}

}  // namespace worker::cli

// `dead`: list, show, redrive, purge.

#include "queue/dead.hpp"

#include "db/transaction.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/error_text.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/job.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/table.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"
#include "worker/cli/watch.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

constexpr int rows_at_once = 1'000;  // of one transaction

asio::awaitable<queue::DeadFilter> make_filter(db::Session& session, const DeadCommand& command, int limit) {
    queue::DeadFilter filter{.jobs = command.jobs, .kind = command.kind, .batch = {}, .limit = limit};
    if (command.batch) {
        const queue::BatchStatus batch = co_await find_batch(session, *command.batch);
        filter.batch = batch.id;
    }
    co_return filter;
}

asio::awaitable<int> list(db::Session& session, const Global& global, const DeadCommand& command) {
    std::vector<Cells> rows;
    std::vector<std::string> objects;
    const queue::DeadFilter filter = co_await make_filter(session, command, command.limit);
    for (const queue::DeadJob& job : co_await queue::list_dead_jobs(session, filter)) {
        JsonObject object;
        object.add("job", job.id).add("kind", job.kind).add("queue", job.queue).add("batch", job.batch);
        object.add("attempt", job.attempt).add("error", job.error).add("created_at", job.created_at);
        object.add("died_at", job.died_at).add_json("args", job.args);
        objects.push_back(object.text());
        const std::string number = std::to_string(static_cast<std::int64_t>(job.id));
        rows.push_back({number, job.kind, std::to_string(job.attempt), show_time(job.died_at), telling_line(job.error)}
        );
    }
    if (global.json) {
        fmt::print("{}\n", json_array(objects));
    } else if (rows.empty()) {
        if (!global.quiet) fmt::print("no dead letters\n");
    } else {
        const std::vector<Column> columns{
            {.title = "JOB", .right = true},
            {.title = "KIND", .shrinks = true},
            {.title = "ATTEMPT", .right = true},
            {.title = "DIED"},
            {.title = "ERROR", .shrinks = true}
        };
        fmt::print("{}", render_table(columns, rows, table_width()));
    }
    co_return exit_ok;
}

// In transactions of bounded size, until none is left that can be redriven.
asio::awaitable<int> redrive(db::Session& session, const Global& global, const DeadCommand& command) {
    const queue::DeadFilter filter = co_await make_filter(session, command, rows_at_once);
    std::vector<std::string> redriven;
    for (;;) {
        const auto jobs = co_await db::transact(session, [&](db::Session& inside) {
            return queue::redrive_dead_jobs(inside, filter);
        });
        for (const queue::JobId job : jobs) redriven.push_back(std::to_string(static_cast<std::int64_t>(job)));
        if (jobs.empty()) break;
    }
    if (global.json) {
        fmt::print("{}\n", JsonObject().add_json("redriven", json_array(redriven)).text());
    } else if (!global.quiet) {
        fmt::print("redrove {} job{}\n", redriven.size(), redriven.size() == 1 ? "" : "s");
    }
    co_return redriven.empty() && !command.jobs.empty() ? exit_failed : exit_ok;
}

asio::awaitable<int> purge(db::Session& session, const Global& global, const DeadCommand& command) {
    const queue::DeadFilter filter = co_await make_filter(session, command, rows_at_once);
    std::int64_t purged = 0;
    for (;;) {
        const std::int64_t gone = co_await queue::purge_dead_jobs(session, filter);
        purged += gone;
        if (gone == 0) break;
    }
    if (global.json) {
        fmt::print("{}\n", JsonObject().add("purged", purged).text());
    } else if (!global.quiet) {
        fmt::print("purged {} dead letter{}\n", purged, purged == 1 ? "" : "s");
    }
    co_return purged == 0 && !command.jobs.empty() ? exit_failed : exit_ok;
}

}  // namespace

int perform(const Global& global, const DeadCommand& command) {
    using Action = DeadCommand::Action;
    const bool changes = command.action == Action::redrive || command.action == Action::purge;
    if (changes && command.jobs.empty() && !command.kind && !command.batch && !command.all) {
        throw Failure(exit_usage, "which dead letters? Give their numbers, --kind, --batch, or --all");
    }
    const LoadedConfig loaded = load(global);
    return with_session(loaded.config, {}, [&](db::Session& session) {
        switch (command.action) {
            case Action::show:
                return show_job(session, global, loaded.config, command.jobs.front());
            case Action::redrive:
                return redrive(session, global, command);
            case Action::purge:
                return purge(session, global, command);
            case Action::list:
                break;
        }
        return list(session, global, command);
    });
}

}  // namespace worker::cli

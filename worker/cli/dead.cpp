// `dead`: list, show, redrive, purge.

#include "queue/dead.hpp"

#include "worker/cli/commands.hpp"
#include "worker/cli/confirm.hpp"
#include "worker/cli/count_text.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/error_text.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/job.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/newest.hpp"
#include "worker/cli/redrive.hpp"
#include "worker/cli/table.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"
#include "worker/cli/watch.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

constexpr int rows_at_once = 1'000;  // of one statement

asio::awaitable<queue::DeadFilter> make_filter(db::Session& session, const DeadCommand& command, int limit) {
    queue::DeadFilter filter{
        .jobs = command.jobs, .kind = command.kind, .queue = command.queue, .batch = {}, .limit = limit
    };
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
        note_more(global, rows.size(), command.limit);
    }
    co_return exit_ok;
}

// Why fewer were redriven than were named or found.
std::string rest_of(const Redriven& redriven, std::size_t named) {
    std::string text = left_text(redriven);
    const std::size_t found = redriven.jobs.size() + static_cast<std::size_t>(redriven.left);
    if (named > found)
        text += fmt::format("; {} of the numbers {} no dead letter", named - found, named - found == 1 ? "is" : "are");
    return text;
}

asio::awaitable<int> redrive(db::Session& session, const Global& global, const DeadCommand& command) {
    const queue::DeadFilter filter = co_await make_filter(session, command, rows_at_once);
    const Redriven redriven = co_await redrive_all(session, global, filter, command.dry_run);
    const bool found = !redriven.jobs.empty() || redriven.left > 0;
    const bool any = !redriven.jobs.empty() || (command.dry_run && found);
    if (global.json) {
        fmt::print("{}\n", redriven_json(redriven, command.dry_run).text());
    } else if (!global.quiet && !found && command.jobs.empty()) {
        fmt::print("no dead letters to redrive\n");
    } else if (!global.quiet && command.dry_run) {
        fmt::print("would redrive {}\n", count_of(redriven.left, "job"));
    } else if (!global.quiet) {
        fmt::print(
            "redrove {}{}\n", count_of(std::ssize(redriven.jobs), "job"), rest_of(redriven, command.jobs.size())
        );
    }
    co_return any ? exit_ok : exit_failed;
}

asio::awaitable<std::int64_t> count(db::Session& session, const queue::DeadFilter& filter) {
    std::int64_t found = 0;
    std::optional<queue::DeadPlace> place;
    for (;;) {
        const std::vector<queue::DeadPlace> page = co_await queue::find_dead_jobs(session, filter, place);
        if (page.empty()) co_return found;
        found += std::ssize(page);
        place = page.back();
    }
}

// Those that were dead when it began, in transactions of bounded size.
asio::awaitable<std::int64_t> purge_all(db::Session& session, const Global& global, queue::DeadFilter filter) {
    LiveLine live(stderr, progress_terminal(global));
    std::int64_t purged = 0;
    std::optional<queue::DeadPlace> place;
    for (;;) {
        const std::vector<queue::DeadPlace> page = co_await queue::find_dead_jobs(session, filter, place);
        if (page.empty()) break;
        place = page.back();
        queue::DeadFilter these{.limit = rows_at_once};
        for (const queue::DeadPlace& letter : page) these.jobs.push_back(letter.job);
        purged += co_await queue::purge_dead_jobs(session, std::move(these));
        if (live.is_due()) live.draw("purging  " + count_of(purged, "dead letter"));
    }
    live.erase();
    co_return purged;
}

asio::awaitable<int> purge(db::Session& session, const Global& global, const DeadCommand& command) {
    const queue::DeadFilter filter = co_await make_filter(session, command, rows_at_once);
    std::int64_t letters = 0;
    if (command.dry_run) {
        letters = co_await count(session, filter);
    } else {
        if (command.jobs.empty() && !command.yes) {
            const std::int64_t found = co_await count(session, filter);
            const std::string what = count_of(found, "dead letter");
            if (found > 0 &&
                !is_confirmed("Delete " + what + " for good?", "dead purge would delete " + what + " for good")) {
                complain("nothing deleted");
                co_return exit_failed;
            }
        }
        letters = co_await purge_all(session, global, filter);
    }
    if (global.json) {
        fmt::print("{}\n", JsonObject().add("purged", letters).add("dry_run", command.dry_run).text());
    } else if (!global.quiet) {
        fmt::print("{} {}\n", command.dry_run ? "would purge" : "purged", count_of(letters, "dead letter"));
    }
    co_return letters == 0 ? exit_failed : exit_ok;
}

}  // namespace

int perform(const Global& global, const DeadCommand& command) {
    using Action = DeadCommand::Action;
    const bool changes = command.action == Action::redrive || command.action == Action::purge;
    const bool filtered = command.kind || command.queue || command.batch || command.all;
    if (changes && command.jobs.empty() && !filtered) {
        throw Failure(exit_usage, "which dead letters? Give their numbers, --kind, --queue, --batch, or --all");
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

// `batch`: list, show, watch, seal, cancel, redrive.

#include "db/transaction.hpp"
#include "queue/batches.hpp"
#include "queue/cancel.hpp"
#include "worker/cli/batch_show.hpp"
#include "worker/cli/batch_text.hpp"
#include "worker/cli/cancel_words.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/count_text.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/newest.hpp"
#include "worker/cli/redrive.hpp"
#include "worker/cli/table.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"
#include "worker/cli/watch.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

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
            {.title = "ID"},
            {.title = "STATE"},
            {.title = "ENDED", .right = true},
            {.title = "FAILED", .right = true},
            {.title = "MADE", .leaves = true}
        };
        fmt::print("{}", render_table(columns, rows, table_width()));
        note_more(global, rows.size(), command.limit);
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

// Until nothing is left but what is in use just then, which the leader takes.
asio::awaitable<queue::CancelledBatch> cancel_all(db::Session& session, const Global& global, queue::BatchId batch) {
    LiveLine live(stderr, progress_terminal(global));
    queue::CancelledBatch all;
    for (;;) {
        const queue::CancelledBatch step =
            co_await db::transact(session, [&](db::Session& inside) { return queue::cancel_batch(inside, batch); });
        all.cancelled += step.cancelled;
        all.stopping += step.stopping;
        if (step.cancelled + step.stopping == 0) break;
        if (live.is_due()) live.draw("cancelling  " + count_of(all.cancelled, "job"));
    }
    live.erase();
    co_return all;
}

asio::awaitable<int> cancel(db::Session& session, const Global& global, const BatchCommand& command) {
    const queue::BatchStatus batch = co_await find_batch(session, command.batch);
    queue::JobFilter filter;
    filter.batch = batch.id;
    const queue::Cancellable found = co_await queue::count_cancellable_jobs(session, filter);
    queue::CancelledBatch answer{.cancelled = found.waiting, .stopping = found.running};
    if (!command.dry_run) {
        // One without jobs is closed by it all the same.
        const bool changes = !batch.finished_at && batch.state != "cancelled";
        if (changes && !command.yes && !may_cancel(found, "batch cancel", " in the batch " + batch_name(batch)))
            co_return exit_failed;
        answer = co_await cancel_all(session, global, batch.id);
    }
    if (global.json) {
        JsonObject object;
        object.add("id", batch.id).add("cancelled", answer.cancelled).add("stopping", answer.stopping);
        fmt::print("{}\n", object.add("dry_run", command.dry_run).text());
    } else if (batch.finished_at && !global.quiet) {
        fmt::print("batch {} had finished before: nothing to cancel\n", batch_name(batch));
    } else if (!global.quiet) {
        const std::string text = command.dry_run ? "would " + words_to_cancel(answer.cancelled, answer.stopping)
                                                 : words_of_cancelled(answer.cancelled, answer.stopping);
        fmt::print("batch {}: {}\n", batch_name(batch), text);
    }
    co_return exit_ok;
}

asio::awaitable<int> redrive(
    db::Session& session, const Global& global, const BatchCommand& command, queue::BatchId& watched
) {
    const queue::BatchStatus batch = co_await find_batch(session, command.batch);
    const queue::DeadFilter filter{.jobs = {}, .kind = command.kind, .queue = {}, .batch = batch.id};
    const Redriven redriven = co_await redrive_all(session, global, filter, command.dry_run);
    const std::int64_t jobs = command.dry_run ? redriven.left : std::ssize(redriven.jobs);
    if (global.json) {
        fmt::print(
            "{}\n", redriven_json(redriven, command.dry_run, std::move(JsonObject().add("id", batch.id))).text()
        );
    } else if (!global.quiet) {
        const std::string what = command.dry_run ? " would be redriven" : " redriven" + left_text(redriven);
        const bool none = jobs == 0 && redriven.left == 0;
        fmt::print(
            "batch {}: {}\n", batch_name(batch), none ? "no dead letters to redrive" : count_of(jobs, "job") + what
        );
    }
    if (jobs == 0) co_return exit_failed;
    if (command.watch) watched = batch.id;
    co_return exit_ok;
}

asio::awaitable<int> watch(db::Session& session, const BatchCommand& command, queue::BatchId& watched) {
    const queue::BatchStatus batch = co_await find_batch(session, command.batch);
    watched = batch.id;
    if (batch.state == "open") {
        complain("the batch is open, so it will not finish: seal it with task-worker batch seal " + batch.id);
    }
    co_return exit_ok;
}

}  // namespace

int perform(const Global& global, const BatchCommand& command) {
    const LoadedConfig loaded = load(global);
    queue::BatchId watched;
    const int code = with_session(loaded.config, {}, [&](db::Session& session) {
        switch (command.action) {
            case BatchCommand::Action::show:
                return show_batch(session, global, command);
            case BatchCommand::Action::watch:
                return watch(session, command, watched);
            case BatchCommand::Action::seal:
                return seal(session, global, command);
            case BatchCommand::Action::cancel:
                return cancel(session, global, command);
            case BatchCommand::Action::redrive:
                return redrive(session, global, command, watched);
            case BatchCommand::Action::list:
                break;
        }
        return list(session, global, command);
    });
    return watched.empty() ? code : follow_batch(loaded.config, global, watched);
}

}  // namespace worker::cli

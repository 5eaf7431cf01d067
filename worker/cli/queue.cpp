// `queue`: list, create, pause, resume.

#include "db/pipeline.hpp"
#include "queue/depth.hpp"
#include "queue/names.hpp"
#include "queue/plans.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/table.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"
#include "worker/config_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <tuple>
#include <vector>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

constexpr int counted_rows = 10'000;  // of each lane

asio::awaitable<std::vector<queue::QueueDepth>> read_depths(
    db::Session& session, const std::vector<queue::Queue>& queues
) {
    std::vector<queue::LaneCursor> lanes;
    for (const queue::Queue& one : queues) {
        for (std::int16_t priority = 0; priority <= 9; ++priority) lanes.push_back({one.id, priority});
    }
    auto answers =
        co_await db::pipelined(session, queue::fix_plans(session), queue::read_depth(session, lanes, counted_rows));
    co_return std::get<1>(std::move(answers));
}

asio::awaitable<int> list(db::Session& session, const Global& global) {
    const std::vector<queue::Queue> queues = co_await queue::read_queues(session);
    const std::vector<queue::QueueDepth> depths = co_await read_depths(session, queues);
    std::vector<Cells> rows;
    std::vector<std::string> objects;
    for (const queue::Queue& one : queues) {
        const auto found = std::ranges::find(depths, one.id, &queue::QueueDepth::queue);
        const queue::QueueDepth depth = found == depths.end() ? queue::QueueDepth{} : *found;
        const std::int64_t later = depth.scheduled + depth.retryable;
        const auto count = [&](std::int64_t jobs) { return std::to_string(jobs) + (depth.bounded ? "+" : ""); };
        std::optional<std::int64_t> oldest;
        if (depth.oldest && depth.available > 0) oldest = depth.oldest->count() / 1000;
        JsonObject object;
        object.add("name", one.name).add("paused", one.paused).add("concurrency", one.concurrency);
        object.add("available", depth.available).add("scheduled", later).add("running", depth.running);
        objects.push_back(object.add("oldest_seconds", oldest).text());
        rows.push_back(
            {one.name,
             one.paused ? "paused" : "open",
             one.concurrency ? std::to_string(*one.concurrency) : "-",
             count(depth.available),
             count(later),
             count(depth.running),
             oldest ? show_span(*depth.oldest) : "-"}
        );
    }
    if (global.json) {
        fmt::print("{}\n", json_array(objects));
        co_return exit_ok;
    }
    const std::vector<Column> columns{
        {.title = "QUEUE", .shrinks = true},
        {.title = "STATE"},
        {.title = "LIMIT", .right = true},
        {.title = "AVAILABLE", .right = true},
        {.title = "SCHEDULED", .right = true},
        {.title = "RUNNING", .right = true},
        {.title = "OLDEST", .right = true}
    };
    fmt::print("{}", render_table(columns, rows, table_width()));
    co_return exit_ok;
}

asio::awaitable<int> change(db::Session& session, const Global& global, const QueueCommand& command) {
    const std::vector<queue::Queue> queues = co_await queue::read_queues(session);
    const auto found = std::ranges::find(queues, command.queue, &queue::Queue::name);
    const bool create = command.action == QueueCommand::Action::create;
    if (create && !is_name(command.queue)) {
        throw Failure(
            exit_usage, in_quotes(command.queue) + " is not a name: letters, digits and - _ . : / @, at most 100"
        );
    }
    if (!create && found == queues.end()) {
        std::vector<std::string> names;
        for (const queue::Queue& one : queues) names.push_back(one.name);
        const std::string likely = nearest(command.queue, names);
        throw Failure(
            exit_failed,
            "there is no queue " + in_quotes(command.queue) + ": " +
                (likely.empty() ? "see task-worker queue list" : "did you mean " + likely + "?")
        );
    }
    // The limit of a queue that is there stays, unless a new one is given.
    queue::QueueDeclaration declaration{.name = command.queue, .concurrency = command.concurrency, .paused = {}};
    if (!declaration.concurrency && found != queues.end()) declaration.concurrency = found->concurrency;
    if (!create) declaration.paused = command.action == QueueCommand::Action::pause;
    const std::array declarations{declaration};
    const std::vector<queue::Queue> declared = co_await queue::declare_queues(session, declarations);
    const queue::Queue& now = declared.front();
    if (global.json) {
        JsonObject object;
        object.add("name", now.name).add("paused", now.paused).add("concurrency", now.concurrency);
        fmt::print("{}\n", object.text());
    } else if (!global.quiet) {
        fmt::print("queue {} {}\n", now.name, now.paused ? "is paused" : "is open");
    }
    co_return exit_ok;
}

}  // namespace

int perform(const Global& global, const QueueCommand& command) {
    const LoadedConfig loaded = load(global);
    return with_session(loaded.config, {}, [&](db::Session& session) {
        if (command.action == QueueCommand::Action::list) return list(session, global);
        return change(session, global, command);
    });
}

}  // namespace worker::cli

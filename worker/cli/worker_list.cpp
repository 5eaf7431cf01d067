// `worker list`.

#include "queue/workers.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/table.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"
#include "worker/config_value.hpp"
#include "worker/exit_code.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

asio::awaitable<int> list(db::Session& session, const Global& global) {
    std::vector<Cells> rows;
    std::vector<std::string> objects;
    for (const queue::Worker& worker : co_await queue::read_workers(session)) {
        JsonObject object;
        object.add("id", worker.id).add("host", worker.host).add("pid", worker.pid).add("version", worker.version);
        object.add("state", state_name(worker)).add("slots", worker.slots).add("connections", worker.connections);
        object.add_json("kinds", json_texts(worker.kinds));
        object.add_json("queues", json_texts(worker.queues));
        object.add("started_at", worker.started_at).add("heartbeat_at", worker.heartbeat_at);
        objects.push_back(object.text());
        rows.push_back(
            {std::to_string(static_cast<std::int64_t>(worker.id)),
             fmt::format("{}:{}", worker.host, worker.pid),
             std::string(state_name(worker)),
             std::to_string(worker.slots),
             std::to_string(worker.connections),
             show_time(worker.heartbeat_at),
             join(worker.kinds)}
        );
    }
    if (global.json) {
        fmt::print("{}\n", json_array(objects));
    } else if (rows.empty()) {
        if (!global.quiet) fmt::print("no workers: start one with task-worker run\n");
    } else {
        const std::vector<Column> columns{
            {.title = "ID", .right = true},
            {.title = "HOST:PID", .shrinks = true},
            {.title = "STATE"},
            {.title = "SLOTS", .right = true},
            {.title = "CONNECTIONS", .right = true},
            {.title = "HEARTBEAT"},
            {.title = "KINDS", .shrinks = true}
        };
        fmt::print("{}", render_table(columns, rows, table_width()));
    }
    co_return exit_ok;
}

}  // namespace

int perform(const Global& global, const WorkerCommand&) {
    const LoadedConfig loaded = load(global);
    return with_session(loaded.config, {}, [&](db::Session& session) { return list(session, global); });
}

}  // namespace worker::cli

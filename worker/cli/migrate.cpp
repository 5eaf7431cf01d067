// `migrate`.

#include "db/migrations.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/table.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"
#include "worker/startup.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

asio::awaitable<int> change_schema(db::Session& session, const Global& global, const MigrateCommand& command) {
    const bool up = command.action == MigrateCommand::Action::up;
    std::vector<std::string> moved;
    const auto on_step = [&](const db::Migration& migration) {
        moved.emplace_back(migration.name);
        if (global.json || global.quiet) return;
        fmt::print("{} {}\n", up ? "applying" : "taking back", migration.name);
        std::fflush(stdout);
    };
    if (up) {
        if (co_await db::read_schema_state(session) == db::SchemaState::newer) {
            throw Failure(exit_schema, schema_trouble(db::SchemaState::newer));
        }
        db::LockPatience patience;
        if (command.patience) patience.longest = *command.patience;
        patience.on_wait = [&](const db::Migration& migration, const db::Error&) {
            if (global.quiet) return;
            fmt::print(stderr, "waiting for a lock: tables of {} are in use, it will be tried again\n", migration.name);
        };
        co_await db::migrate_up(session, command.to, on_step, patience);
    } else {
        co_await db::migrate_down(session, command.to, on_step);
    }
    if (global.json) {
        fmt::print("{}\n", JsonObject().add_json("migrations", json_texts(moved)).text());
    } else if (!global.quiet && moved.empty()) {
        fmt::print("nothing to {}\n", up ? "apply" : "take back");
    }
    co_return exit_ok;
}

std::string state_of(const db::MigrationStatus& migration) {
    if (!migration.known) return "applied by a newer task-worker";
    if (!migration.applied_at) return "pending";
    return migration.changed ? "applied with another text" : "applied";
}

asio::awaitable<int> show_status(db::Session& session, const Global& global) {
    std::vector<Cells> rows;
    std::vector<std::string> objects;
    for (const db::MigrationStatus& migration : co_await db::read_migrations(session)) {
        JsonObject object;
        object.add("version", migration.version).add("name", migration.name).add("applied_at", migration.applied_at);
        objects.push_back(object.add("changed", migration.changed).add("known", migration.known).text());
        const std::string at = migration.applied_at ? show_time(*migration.applied_at) : "-";
        rows.push_back({migration.name, at, state_of(migration)});
    }
    if (global.json) {
        fmt::print("{}\n", json_array(objects));
        co_return exit_ok;
    }
    const std::vector<Column> columns{
        {.title = "MIGRATION", .shrinks = true}, {.title = "APPLIED"}, {.title = "STATE"}
    };
    fmt::print("{}", render_table(columns, rows, table_width()));
    const std::string trouble = schema_trouble(co_await db::read_schema_state(session));
    if (!trouble.empty() && !global.quiet) fmt::print("{}\n", trouble);
    co_return exit_ok;
}

}  // namespace

int perform(const Global& global, const MigrateCommand& command) {
    if (command.action == MigrateCommand::Action::sql) {
        const std::string sql = db::migrations_as_sql();
        if (global.json) {
            fmt::print("{}\n", JsonObject().add("sql", sql).text());
        } else {
            fmt::print("{}", sql);
        }
        return exit_ok;
    }
    const LoadedConfig loaded = load(global);
    return with_session(loaded.config, {.direct = true, .needs_schema = false}, [&](db::Session& session) {
        if (command.action == MigrateCommand::Action::status) return show_status(session, global);
        return change_schema(session, global, command);
    });
}

}  // namespace worker::cli

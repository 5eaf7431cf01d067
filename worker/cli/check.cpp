// `check`: the configuration in force, the schema, the connection budget.

#include "db/connection.hpp"
#include "db/migrations.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/table.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/embedded_postgres.hpp"
#include "worker/startup.hpp"

#include <fmt/format.h>

#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

// What the database answered.
struct Found {
    std::string server_version;
    db::SchemaState schema = db::SchemaState::missing;
    std::optional<db::Budget> budget;  // empty: the schema is not understood
    int next_worker = 0;               // connections of one more worker with this configuration
    bool fits() const { return !budget || budget->total + next_worker <= budget->limit; }
};

const char* name_of(db::SchemaState state) {
    switch (state) {
        case db::SchemaState::current:
            return "current";
        case db::SchemaState::missing:
            return "missing";
        case db::SchemaState::older:
            return "older";
        case db::SchemaState::newer:
            return "newer";
    }
    return "";
}

asio::awaitable<int> look(db::Session& session, const Config& config, Found& found) {
    const int version = session.connection().server_version();
    found.server_version = fmt::format("{}.{}", version / 10'000, version % 10'000);
    found.schema = co_await db::read_schema_state(session);
    found.next_worker = db::own_connections(config.database.pool);
    if (found.schema == db::SchemaState::current) {
        found.budget = co_await read_budget(session, config, queue::WorkerId{});
    }
    co_return exit_ok;
}

void print_settings(const LoadedConfig& loaded) {
    std::vector<Cells> rows;
    for (const Setting& setting : loaded.settings) rows.push_back({setting.key, setting.value, setting.source});
    const std::vector<Column> columns{
        {.title = "KEY"}, {.title = "VALUE", .shrinks = true}, {.title = "SOURCE", .shrinks = true}
    };
    fmt::print("{}", render_table(columns, rows, table_width()));
    for (const std::string& note : loaded.notes) fmt::print("note: {}\n", note);
}

std::string budget_verdict(const Found& found) {
    const int free = found.budget->limit - found.budget->total;
    if (found.fits()) {
        return fmt::format(
            "one more worker with this configuration takes {}: it fits, with {} to spare",
            found.next_worker,
            free - found.next_worker
        );
    }
    return fmt::format(
        "one more worker with this configuration takes {}, but {} are free: lower database.pool_size and "
        "database.max_overflow, raise the server's max_connections, or put a PgBouncer between (database.pooler: "
        "transaction)",
        found.next_worker,
        free
    );
}

std::string budget_json(const db::Budget& budget, const Found& found) {
    std::vector<std::string> lines;
    for (const db::Budget::Line& line : budget.lines) {
        lines.push_back(JsonObject().add("name", line.name).add("connections", line.connections).text());
    }
    JsonObject object;
    object.add_json("connections", json_array(lines)).add("claimed", budget.total).add("limit", budget.limit);
    return object.add("next_worker", found.next_worker).add("fits", found.fits()).text();
}

void print_json(const LoadedConfig& loaded, const std::optional<Found>& found, bool has_url) {
    std::vector<std::string> settings;
    for (const Setting& setting : loaded.settings) {
        settings.push_back(
            JsonObject().add("key", setting.key).add("value", setting.value).add("source", setting.source).text()
        );
    }
    std::vector<std::string> problems;
    for (const Problem& problem : loaded.problems) problems.push_back(describe(problem));
    std::optional<std::string> database;
    std::optional<std::string> budget;
    if (has_url) {
        JsonObject object;
        object.add("url", loaded.config.database.shown_url).add("reachable", found.has_value());
        std::optional<std::string> version;
        std::optional<std::string> schema;
        if (found) {
            version = found->server_version;
            schema = name_of(found->schema);
            if (found->budget) budget = budget_json(*found->budget, *found);
        }
        database = object.add("server_version", version).add("schema", schema).text();
    }
    JsonObject object;
    object.add_json("settings", json_array(settings)).add_json("problems", json_texts(problems));
    object.add_json("notes", json_texts(loaded.notes)).add_json("database", database).add_json("budget", budget);
    fmt::print("{}\n", object.text());
}

void print_found(const Found& found) {
    fmt::print("\nPostgreSQL {}, schema {}\n", found.server_version, name_of(found.schema));
    if (found.budget) fmt::print("\nConnections\n{}{}\n", db::to_text(*found.budget), budget_verdict(found));
}

}  // namespace

int perform(const Global& global, const CheckCommand&) {
    LoadedConfig loaded = load_config(config_request(global));
    DatabaseConfig& database = loaded.config.database;
    const bool sound = loaded.problems.empty();
    if (sound && database.connection.url.empty()) {
        if (const auto holder = read_embedded_holder(default_embedded_folder())) {
            database.connection.url = holder->url;
            database.shown_url = holder->url;
        }
    }
    if (!global.json && !global.quiet) {
        print_settings(loaded);
        std::fflush(stdout);
    }
    const bool has_url = sound && !database.connection.url.empty();
    std::optional<Found> found;
    std::exception_ptr failure;
    if (has_url) {
        try {
            Found answer;
            with_session(loaded.config, {.needs_schema = false}, [&](db::Session& session) {
                return look(session, loaded.config, answer);
            });
            found = std::move(answer);
        } catch (...) {
            failure = std::current_exception();
        }
    }
    if (global.json) {
        print_json(loaded, found, has_url);
    } else if (found && !global.quiet) {
        print_found(*found);
    } else if (sound && !has_url && !global.quiet) {
        fmt::print("\nno database: the embedded one is not running (task-worker dev starts it)\n");
    }
    if (!sound) throw Failure(exit_usage, describe_problems(loaded.problems));
    if (failure) std::rethrow_exception(failure);
    if (!found) return exit_ok;
    if (found->schema != db::SchemaState::current) throw Failure(exit_schema, schema_trouble(found->schema));
    if (!found->fits() && database.budget == BudgetMode::enforce) throw Failure(exit_budget, budget_verdict(*found));
    return exit_ok;
}

}  // namespace worker::cli

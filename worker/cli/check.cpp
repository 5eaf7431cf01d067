// `check`: the configuration in force, the schema, the connection budget.

#include "db/catalogue.hpp"
#include "db/connection.hpp"
#include "db/migrations.hpp"
#include "jobs/exec_start.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/cli/table.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/direct_connection.hpp"
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
    std::optional<db::SchemaState> schema;  // empty: nobody could ask
    std::optional<db::Budget> budget;       // empty: the schema is not understood
    int next_worker = 0;                    // connections of one more worker with this configuration
    bool hidden_pooler = false;  // one stands in front of the database that the configuration does not tell of

    // Connections that are free beside that worker; negative: too few.
    int to_spare() const { return budget->limit - budget->total - next_worker; }
    bool fits() const { return !budget || to_spare() >= 0; }
};

// Everything that there is to say.
struct Report {
    LoadedConfig loaded;
    bool has_database = false;  // one is meant
    std::optional<Found> found;
    std::vector<std::string> problems;
    std::vector<std::string> notes;
    int code = exit_ok;
};

const char* name_of(std::optional<db::SchemaState> state) {
    if (!state) return "unknown";
    switch (*state) {
        case db::SchemaState::current:
            return "current";
        case db::SchemaState::missing:
            return "missing";
        case db::SchemaState::older:
            return "older";
        case db::SchemaState::newer:
            return "newer";
        case db::SchemaState::ahead:
            return "ahead";
    }
    return "";
}

asio::awaitable<int> look(db::Session& session, const Config& config, Found& found) {
    const int version = session.connection().server_version();
    found.server_version = fmt::format("{}.{}", version / 10'000, version % 10'000);
    found.hidden_pooler =
        config.database.connection.pooler == db::Pooler::none && co_await db::is_behind_pooler(session);
    if (found.hidden_pooler) co_return exit_ok;  // what is prepared for this client may meet what others prepared
    found.schema = co_await db::read_schema_state(session);
    found.next_worker = own_connections(config.database);
    if (works_with(*found.schema)) {
        found.budget = co_await read_budget(session, config, queue::WorkerId{});
    }
    co_return exit_ok;
}

std::string budget_verdict(const Found& found) {
    const std::string limit =
        found.budget->limit_is_configured ? "database.max_connections" : "the server's max_connections";
    const std::string one_more = fmt::format("one more worker with this configuration takes {}", found.next_worker);
    if (found.fits()) return fmt::format("{}: it fits, with {} to spare", one_more, found.to_spare());
    const std::string too_many =
        fmt::format("{}, {} too many for {} ({})", one_more, -found.to_spare(), limit, found.budget->limit);
    if (found.budget->is_pooled) {
        return fmt::format(
            "{}: lower database.other_connections, if the pooler and the other services really open less, or raise {}",
            too_many,
            limit
        );
    }
    return fmt::format(
        "{}: lower database.pool_size and database.max_overflow, raise {}, or put a PgBouncer between "
        "(database.pooler: transaction)",
        too_many,
        limit
    );
}

void visit_database(Report& report) {
    try {
        Found answer;
        const Config& config = report.loaded.config;
        with_session(config, {.needs_schema = false}, [&](db::Session& session) {
            return look(session, config, answer);
        });
        report.found = std::move(answer);
    } catch (...) {
        const Ending ending = describe_failure(std::current_exception());
        report.problems.push_back(ending.text);
        report.code = ending.code;
    }
}

void judge(Report& report) {
    const Found& found = *report.found;
    if (found.hidden_pooler) {
        report.problems.push_back(pooler_trouble());
        report.code = exit_usage;
    } else if (!works_with(*found.schema)) {
        report.problems.push_back(schema_trouble(*found.schema));
        report.code = exit_schema;
    } else if (!found.fits() && report.loaded.config.database.budget == BudgetMode::enforce) {
        report.problems.push_back(budget_verdict(found));
        report.code = exit_budget;
    } else if (!found.fits()) {
        report.notes.push_back(budget_verdict(found));
    }
    if (found.schema == db::SchemaState::ahead) report.notes.push_back(schema_trouble(*found.schema));
}

// The embedded database is chosen after the settings were listed.
void show_embedded(LoadedConfig& loaded) {
    for (Setting& setting : loaded.settings) {
        const std::string& url = loaded.config.database.shown_url;
        if (setting.key == "database.url" && setting.value != url) {
            setting.value = url;
            setting.source = "task-worker dev";
        }
    }
}

// No problem: a deploy may bring a program while the worker runs.
void look_for_programs(const Config& config, std::vector<std::string>& notes) {
    for (const auto& [kind, handler] : config.handlers) {
        if (handler.exec.command.empty()) continue;
        const std::string problem = jobs::find_start_problem(handler.exec);
        if (!problem.empty()) notes.push_back(fmt::format("handlers.{}.exec cannot start: {}", kind, problem));
    }
}

Report make_report(const Global& global) {
    Report report;
    report.loaded = load_config(config_request(global));
    report.notes = report.loaded.notes;
    for (const Problem& problem : report.loaded.problems) report.problems.push_back(describe(problem));
    if (!report.problems.empty()) {
        report.code = exit_usage;
        return report;
    }
    look_for_programs(report.loaded.config, report.notes);
    report.has_database = choose_database(global, report.loaded.config);
    show_embedded(report.loaded);
    if (report.has_database) {
        visit_database(report);
    } else {
        report.notes.emplace_back("no database: the embedded one is not running (task-worker dev starts it)");
    }
    if (report.found) judge(report);
    return report;
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

std::optional<std::string> database_json(const Report& report) {
    if (!report.has_database) return std::nullopt;
    JsonObject object;
    object.add("url", report.loaded.config.database.shown_url).add("reachable", report.found.has_value());
    std::optional<std::string> version;
    std::optional<std::string> schema;
    if (report.found) {
        version = report.found->server_version;
        schema = name_of(report.found->schema);
    }
    return object.add("server_version", version).add("schema", schema).text();
}

void print_json(const Report& report) {
    std::vector<std::string> settings;
    for (const Setting& setting : report.loaded.settings) {
        JsonObject object;
        settings.push_back(
            object.add("key", setting.key).add("value", setting.value).add("source", setting.source).text()
        );
    }
    std::optional<std::string> budget;
    if (report.found && report.found->budget) budget = budget_json(*report.found->budget, *report.found);
    JsonObject object;
    object.add_json("problems", json_texts(report.problems)).add_json("settings", json_array(settings));
    object.add_json("notes", json_texts(report.notes)).add_json("database", database_json(report));
    fmt::print("{}\n", object.add_json("budget", budget).text());
}

void print_settings(const std::vector<Setting>& settings) {
    std::vector<Cells> rows;
    for (const Setting& setting : settings) rows.push_back({setting.key, setting.value, setting.source});
    const std::vector<Column> columns{
        {.title = "KEY"}, {.title = "VALUE", .shrinks = true}, {.title = "SOURCE", .shrinks = true}
    };
    fmt::print("{}", render_table(columns, rows, table_width()));
}

void print_budget(const Found& found) {
    std::vector<Cells> rows;
    for (const db::Budget::Line& line : found.budget->lines) {
        rows.push_back({line.name, std::to_string(line.connections)});
    }
    rows.push_back({"claimed", std::to_string(found.budget->total)});
    rows.push_back({"one more worker with this configuration", std::to_string(found.next_worker)});
    rows.push_back({"limit", std::to_string(found.budget->limit)});
    const std::vector<Column> columns{{.title = "CONNECTIONS", .shrinks = true}, {.title = "", .right = true}};
    fmt::print("\n{}", render_table(columns, rows, table_width()));
    if (found.fits()) fmt::print("{}\n", budget_verdict(found));
}

void print_report(const Report& report) {
    print_settings(report.loaded.settings);
    if (report.found) {
        const Found& found = *report.found;
        fmt::print("\nPostgreSQL {}, schema {}\n", found.server_version, name_of(found.schema));
        if (found.budget) print_budget(found);
    }
    if (!report.notes.empty()) fmt::print("\n");
    for (const std::string& note : report.notes) fmt::print("note: {}\n", note);
}

// First of all, since the settings fill a screen.
void complain_of(const std::vector<std::string>& problems) {
    if (problems.empty()) return;
    if (problems.size() == 1) return complain(problems.front());
    std::string text = fmt::format("{} problems:", problems.size());
    for (const std::string& problem : problems) text += "\n  " + problem;
    complain(text);
}

}  // namespace

int perform(const Global& global, const CheckCommand&) {
    const Report report = make_report(global);
    complain_of(report.problems);
    if (global.json) {
        print_json(report);
    } else if (!global.quiet) {
        if (!report.problems.empty()) fmt::print("\n");
        print_report(report);
    }
    return report.code;
}

}  // namespace worker::cli

#include "worker/cli/database.hpp"

#include "db/connection.hpp"
#include "db/migrations.hpp"
#include "worker/cli/errors.hpp"
#include "worker/database_log.hpp"
#include "worker/direct_connection.hpp"
#include "worker/embedded_postgres.hpp"
#include "worker/logging.hpp"
#include "worker/startup.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include <exception>
#include <filesystem>
#include <memory>
#include <utility>

namespace asio = boost::asio;

namespace worker::cli {

namespace {

db::ConnectionSettings connection_settings(const Config& config, Visit visit) {
    db::ConnectionSettings settings = visit.direct ? direct_connection(config.database) : config.database.connection;
    if (visit.direct) settings.statement_timeout = {};
    return settings;
}

asio::awaitable<int> visit_database(
    asio::io_context& context, const Config& config, Visit visit, const SessionFunction& function
) {
    const auto hooks = std::make_shared<const db::Hooks>(database_log(config.database));
    auto connection = co_await db::Connection::open(context.get_executor(), connection_settings(config, visit), hooks);
    db::Session session(std::move(connection));
    if (visit.needs_schema) co_await check_schema(session);
    const int code = co_await function(session);
    co_return code;
}

}  // namespace

ConfigRequest config_request(const Global& global) {
    return {.file = global.config_file, .folder = {}, .flags = global.settings, .environment = process_environment()};
}

Global with_json_log(Global global) {
    if (global.json) global.settings.try_emplace("log.format", "json");
    return global;
}

std::filesystem::path data_folder(const Global& global) {
    namespace fs = std::filesystem;
    return global.data.empty() ? default_embedded_folder() : fs::absolute(global.data).lexically_normal();
}

void use_embedded(Config& config, const std::string& url) {
    config.database.connection.url = url;
    config.database.connection.pooler = db::Pooler::none;
    config.database.shown_url = url;
    config.database.direct_url.clear();
}

bool choose_database(const Global& global, Config& config) {
    if (!global.data.empty() && global.settings.contains("database.url")) {
        throw Failure(exit_usage, "--data and --url each name a database: give one of them");
    }
    if (global.data.empty() && !config.database.connection.url.empty()) return true;
    const std::filesystem::path folder = data_folder(global);
    const auto holder = read_embedded_holder(folder);
    if (holder) use_embedded(config, holder->url);
    if (holder || global.data.empty()) return holder.has_value();
    throw Failure(
        exit_unreachable,
        fmt::format("nothing runs on {}: start it with task-worker dev --data {}", folder.string(), global.data)
    );
}

LoadedConfig load(const Global& global) {
    LoadedConfig loaded = load_config(config_request(global));
    if (!loaded.problems.empty()) throw Failure(exit_usage, describe_problems(loaded.problems));
    if (choose_database(global, loaded.config)) return loaded;
    throw Failure(
        exit_unreachable,
        "no database: set DATABASE_URL (database.url), or start the embedded one with task-worker dev (--data names "
        "its "
        "folder)"
    );
}

int with_session(const Config& config, Visit visit, const SessionFunction& function) {
    LogConfig log = config.log;
    log.file.clear();  // that is the worker's
    set_up_logging(log);
    std::exception_ptr failure;
    int code = exit_ok;
    asio::io_context context(1);
    asio::co_spawn(
        context,
        visit_database(context, config, visit, function),
        [&](std::exception_ptr error, int returned) {
            failure = std::move(error);
            code = returned;
        }
    );
    context.run();
    if (failure) std::rethrow_exception(failure);
    return code;
}

asio::awaitable<void> check_schema(db::Session& session) {
    const db::SchemaState state = co_await db::read_schema_state(session);
    if (!works_with(state)) throw Failure(exit_schema, schema_trouble(state));
}

}  // namespace worker::cli

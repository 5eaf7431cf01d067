// `dev`: a worker on a private PostgreSQL, and what belongs to it: stop, psql, reset.

#include "db/migrations.hpp"
#include "worker/cli/commands.hpp"
#include "worker/cli/confirm.hpp"
#include "worker/cli/count_text.hpp"
#include "worker/cli/database.hpp"
#include "worker/cli/errors.hpp"
#include "worker/cli/json.hpp"
#include "worker/embedded_postgres.hpp"
#include "worker/runtime.hpp"

#include <fmt/format.h>

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace fs = std::filesystem;
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace worker::cli {

namespace {

EmbeddedHolder find_holder(const Global& global) {
    const fs::path folder = data_folder(global);
    if (auto holder = read_embedded_holder(folder)) return *holder;
    throw Failure(
        exit_failed,
        fmt::format(
            "nothing is running on {}: start it with task-worker dev, or name its folder with --data", folder.string()
        )
    );
}

asio::awaitable<int> migrate(db::Session& session, bool quiet) {
    if (const std::optional<std::string> name = co_await db::set_foreign_schema_aside(session)) {
        complain(fmt::format(
            "another build of task-worker made this database's schema: it is now called {}, and a new one is made "
            "(task-worker dev reset deletes both)",
            *name
        ));
    }
    const int applied = co_await db::migrate_up(session);
    if (applied > 0 && !quiet) complain(count_of(applied, "migration") + " applied");
    co_return exit_ok;
}

int start(const Global& global, const DevCommand& command) {
    LoadedConfig loaded = load_config(config_request(with_json_log(global)));
    if (!loaded.problems.empty()) throw Failure(exit_usage, describe_problems(loaded.problems));
    Config& config = loaded.config;
    if (config.environment == Environment::production) {
        throw Failure(exit_usage, "dev is not for production: use task-worker run with a database of your own");
    }
    std::optional<EmbeddedPostgres> postgres;
    try {
        postgres.emplace(EmbeddedPostgresSettings{.folder = data_folder(global)});
    } catch (const std::exception& error) {
        throw Failure(exit_unreachable, std::string("the embedded PostgreSQL does not start: ") + error.what());
    }
    use_embedded(config, postgres->url());
    with_session(config, {.direct = true, .needs_schema = false}, [&](db::Session& session) {
        return migrate(session, global.quiet);
    });
    if (global.json) {
        JsonObject object;
        object.add("pid", getpid()).add("folder", postgres->folder().string()).add("url", postgres->url());
        fmt::print("{}\n", object.text());
        std::fflush(stdout);
    } else if (!global.quiet) {
        complain(fmt::format("PostgreSQL runs on {}; DATABASE_URL='{}'", postgres->folder().string(), postgres->url()));
        if (!global.data.empty()) complain("other commands find it with --data " + global.data);
    }
    return run_worker({.config = std::move(loaded), .ready_file = command.url_file, .add_kinds = global.add_kinds});
}

int stop(const Global& global) {
    const EmbeddedHolder holder = find_holder(global);
    if (kill(holder.pid, SIGTERM) != 0 && errno != ESRCH) {
        const std::string reason = std::system_category().message(errno);
        throw Failure(exit_failed, fmt::format("process {} cannot be stopped: {}", holder.pid, reason));
    }
    constexpr auto limit = 90s;  // running jobs may finish
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (read_embedded_holder(data_folder(global))) {
        if (std::chrono::steady_clock::now() > deadline) {
            throw Failure(
                exit_failed,
                fmt::format("process {} still runs after {} s: kill it with kill -9", holder.pid, limit.count())
            );
        }
        std::this_thread::sleep_for(50ms);
    }
    if (global.json) {
        fmt::print("{}\n", JsonObject().add("stopped", holder.pid).text());
    } else if (!global.quiet) {
        fmt::print("stopped process {}\n", holder.pid);
    }
    return exit_ok;
}

int open_psql(const Global& global, const DevCommand& command) {
    if (global.json) throw Failure(exit_usage, "psql writes no JSON: ask for it in SQL, as with row_to_json");
    const EmbeddedHolder holder = find_holder(global);
    std::vector<std::string> words{find_postgres_binaries() / "psql", holder.url};
    words.insert(words.end(), command.to_psql.begin(), command.to_psql.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    execv(arguments.front(), arguments.data());
    const std::string reason = std::system_category().message(errno);
    throw Failure(
        exit_failed, fmt::format("{} cannot be started: {}: install postgresql-client", words.front(), reason)
    );
}

void say_deleted(const Global& global, const std::optional<std::string>& folder, const std::string& text) {
    if (global.json) {
        fmt::print("{}\n", JsonObject().add("deleted", folder).text());
    } else if (!global.quiet) {
        fmt::print("{}\n", text);
    }
}

int reset(const Global& global, const DevCommand& command) {
    const fs::path folder = data_folder(global);
    if (const auto holder = read_embedded_holder(folder)) {
        throw Failure(
            exit_failed,
            fmt::format("process {} runs on {}: stop it first with task-worker dev stop", holder->pid, folder.string())
        );
    }
    const fs::path data = folder / "data";
    if (!fs::exists(data / "PG_VERSION")) {  // never anything but a cluster
        say_deleted(global, {}, "nothing to delete in " + folder.string());
        return exit_ok;
    }
    const bool confirmed =
        command.yes || is_confirmed("Delete the database in " + data.string() + "?", "dev reset deletes all data");
    if (!confirmed) {
        complain("nothing deleted");
        return exit_failed;
    }
    fs::remove_all(data);
    fs::remove(folder / "postgres.log");
    say_deleted(global, data.string(), "deleted " + data.string());
    return exit_ok;
}

}  // namespace

int perform(const Global& global, const DevCommand& command) {
    switch (command.action) {
        case DevCommand::Action::stop:
            return stop(global);
        case DevCommand::Action::psql:
            return open_psql(global, command);
        case DevCommand::Action::reset:
            return reset(global, command);
        case DevCommand::Action::start:
            break;
    }
    return start(global, command);
}

}  // namespace worker::cli

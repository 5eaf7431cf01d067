#include "worker/database_log.hpp"

#include "db/error.hpp"
#include "worker/logging.hpp"

#include <chrono>
#include <string_view>

namespace worker {

std::string error_text(const db::Error& error) {
    if (!error.is_data_error()) return error.what();
    return "a value is refused [" + error.sqlstate() + "] in " + error.statement();
}

db::Hooks database_log(const DatabaseConfig& database) {
    db::Hooks hooks;
    hooks.on_notice = [](std::string_view severity, std::string_view message) {
        const LogLevel level = severity == "WARNING" ? LogLevel::warn : LogLevel::info;
        log_limited(Component::database, level, "a notice", {{"from", "server"}, {"notice", message}});
    };
    if (database.echo) {
        hooks.on_statement = [](std::string_view statement, std::chrono::nanoseconds took, const db::Error* error) {
            const double ms = std::chrono::duration<double, std::milli>(took).count();
            Fields fields{{"statement", statement}, {"ms", ms}};
            if (error != nullptr) fields.emplace_back("sqlstate", error->sqlstate());
            log(Component::database, LogLevel::info, "statement", fields);
        };
    }
    return hooks;
}

}  // namespace worker

#include "worker/cli/errors.hpp"

#include "db/error.hpp"
#include "worker/cli/terminal.hpp"
#include "worker/startup.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string_view>

namespace worker::cli {

namespace {

// libpq writes one line per address, indented; a message here is one line.
std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
        const bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        if (!blank) {
            line += c;
        } else if (!line.empty() && line.back() != ' ') {
            line += ' ';
        }
    }
    while (line.ends_with(' ')) line.pop_back();
    return line;
}

// The server's own words, with its hint as the way out.
std::string words_of(const db::Error& error) {
    const db::ServerMessage& server = error.server();
    if (server.message.empty()) return error.what();
    std::string text = server.message;
    if (!server.detail.empty()) text += ", " + server.detail;
    if (!server.hint.empty()) text += ": " + server.hint;
    return text;
}

Ending describe_database_failure(const db::Error& error) {
    const std::string words = one_line(words_of(error));
    const std::string& state = error.sqlstate();
    if (state == "3D000") {
        return {exit_unreachable, words + ": create it with createdb, or correct DATABASE_URL (database.url)"};
    }
    if (error.is_login_refused()) {
        return {
            exit_unreachable,
            "the database refused the login: " + words +
                ": check user and password in DATABASE_URL (database.url) or database.password_file"
        };
    }
    if (error.kind() == db::ErrorKind::deadline) {
        return {exit_unreachable, words + ": look at the server's load and locks, or raise database.statement_timeout"};
    }
    if (error.is_unavailable()) {
        return {
            exit_unreachable,
            "the database cannot be reached: " + words +
                ": check DATABASE_URL (database.url) and that the server is running"
        };
    }
    if (state == "3F000" || state == "42P01" || state == "42703" || state == "42883") {
        return {exit_schema, "the schema is not understood: " + words + ": look at task-worker migrate status"};
    }
    if (state == "42501") {
        return {exit_failed, words + ": log in as a member of task_worker_app, or of task_worker_owner to migrate"};
    }
    // What one client prepared on a server's connection, another met there.
    if (state == "42P05" || state == "26000") return {exit_usage, words + ": " + pooler_trouble()};
    if (state == "57014") return {exit_failed, words + ": raise database.statement_timeout if it should take so long"};
    // Arguments: 22 and 23 by their values, 54 by their size. 55: right in itself, but not in this state.
    const bool bad_argument = error.is_data_error() || state.starts_with("54") || error.kind() == db::ErrorKind::usage;
    return {bad_argument ? exit_usage : exit_failed, words};
}

}  // namespace

Ending describe_failure(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const Failure& refusal) {
        return {refusal.code(), refusal.what()};
    } catch (const Interrupted&) {
        return {exit_interrupted, ""};
    } catch (const db::Error& error) {
        return describe_database_failure(error);
    } catch (const std::filesystem::filesystem_error& error) {
        return {exit_failed, error.path1().string() + ": " + error.code().message()};
    } catch (const std::exception& error) {
        return {exit_failed, error.what()};
    }
}

std::string describe_problems(const std::vector<Problem>& problems) {
    if (problems.size() == 1) return describe(problems.front());
    std::string text = fmt::format("the configuration has {} problems:", problems.size());
    for (const Problem& problem : problems) text += "\n  " + describe(problem);
    return text;
}

void complain(const std::string& text) {
    std::fflush(stdout);
    const std::string line = "task-worker: " + text;
    const Terminal terminal = inspect_terminal(STDERR_FILENO, true);
    fmt::print(stderr, "{}\n", terminal.is_terminal ? wrap_message(line, terminal.columns) : line);
}

}  // namespace worker::cli

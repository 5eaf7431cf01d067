#pragma once

// What a page of docs/ tells its reader to do, done: its files written into a folder, its commands run there.

#include "tests/support/command.hpp"
#include "tests/support/markdown.hpp"
#include "tests/support/temporary_folder.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <string>

namespace tests {

// `task-worker dev` with its data in the folder where it is started: by default root's are those of the whole machine.
inline std::string with_own_data(const std::string& text) {
    return std::regex_replace(text, std::regex("task-worker dev "), "task-worker dev --data trial ");
}

inline void write_files_of(const std::string& page, const TemporaryFolder& folder) {
    for (const Snippet& file : snippets_of(read_page(page), "file")) folder.write(file.name, with_own_data(file.text));
    std::filesystem::permissions(folder.path(), std::filesystem::perms{0755});  // the private server's user is another
}

// All blocks of SQL, as one script for psql.
inline std::string sql_of(const std::string& page) {
    std::string script;
    for (const std::string& block : blocks_of(read_page(page), "sql")) script += block + "\n";
    return script;
}

// A line for the shell. Our programs come first in PATH, then what Debian installs: its packages are for its
// interpreters.
inline Command guide_command(const TemporaryFolder& folder, const std::string& url, const std::string& line) {
    const std::string ours = std::filesystem::path(TASK_WORKER_BINARY).parent_path();
    Command command{
        .words = {"/bin/sh", "-e", "-c", line},
        .environment =
            {{"PATH", ours + ":/usr/bin:" + std::getenv("PATH")}, {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"}},
        .folder = folder.path(),
        .limit = std::chrono::seconds(300),  // Go's first run compiles its library
    };
    if (!url.empty()) command.environment["DATABASE_URL"] = url;
    return command;
}

inline const std::string run_sql = "psql \"$DATABASE_URL\" -X -A -t -q -v ON_ERROR_STOP=1 ";

}  // namespace tests

#pragma once

// Child processes of the embedded PostgreSQL: started as another user when this one is root, tied to their parent.

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace worker {

// Who the server runs as.
struct ServerUser {
    uid_t uid;
    gid_t gid;
    std::vector<gid_t> groups;
};

// User postgres when this process is root, whom PostgreSQL refuses; nothing when this user is good enough.
// Throws: std::runtime_error when root finds no user postgres.
std::optional<ServerUser> server_user();

struct ChildCommand {
    std::vector<std::string> words;  // the program's path, then its arguments
    std::filesystem::path folder;    // where it runs
    std::filesystem::path log;       // its output goes to the end of this file
    std::optional<ServerUser> user;
    int signal_when_parent_dies;
};

constexpr int exit_cannot_enter = 125;    // the user cannot enter the folder
constexpr int exit_cannot_execute = 126;  // the program cannot be executed

// Starts the program in a session of its own, so that Ctrl-C in a terminal does not reach it, with default signals
// and no inherited descriptors. Throws: std::system_error.
pid_t start_child(const ChildCommand& command);

// Waits for a child's end: its wait status, or nothing when it still runs after `limit`.
std::optional<int> wait_child(pid_t child, std::chrono::milliseconds limit);

}  // namespace worker

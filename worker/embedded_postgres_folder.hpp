#pragma once

// The folder of an embedded PostgreSQL: who holds it, what a killed predecessor left in it, where its socket goes.

#include "worker/embedded_postgres_child.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace worker {

// Creates a folder and what is missing above it. With a user to serve, all that is new can be entered by everybody.
void make_folder(const std::filesystem::path& folder, const std::optional<ServerUser>& user);

// Opens and locks folder/holder for this process and returns the descriptor; the lock ends with the process.
// Throws: std::runtime_error that names the process which holds it.
int lock_holder(const std::filesystem::path& folder);
bool is_locked(const std::filesystem::path& folder);

// What the holder file says: the process and its socket folder, empty before it is made and after a clean stop.
struct HolderText {
    pid_t pid = 0;
    std::filesystem::path socket_folder;
};
HolderText read_holder_text(const std::filesystem::path& folder);
void write_holder_text(int holder, const HolderText& text);

// Waits for the server of a predecessor that was killed: it shuts down by itself. Removes its stale pid file, since
// another process may have been given the same id.
// Throws: std::runtime_error when a server still runs on the data after `limit`.
void settle_predecessor(const std::filesystem::path& data, std::chrono::seconds limit);

// A new folder for the socket, short enough for the 107 bytes of a socket's address, entered by `user` and us alone.
std::filesystem::path make_socket_folder(const std::optional<ServerUser>& user);
void remove_socket_folder(const std::filesystem::path& folder) noexcept;

std::string socket_url(const std::filesystem::path& socket_folder, std::string_view database);

// The last lines of a log, for an error message.
std::string last_lines(const std::filesystem::path& log);

}  // namespace worker

#pragma once

// A PgBouncer in transaction mode in front of a PostgreSQL of the tests, reached over a Unix socket. It hands the
// server's connections out in turn, so that whoever relies on the state of a session finds another one.

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace tests {

struct PgBouncerSettings {
    int server_port = 5432;
    int pool_size = 20;  // connections to the server, of each database
    std::string more{};  // further lines of its configuration
};

class PgBouncer {
public:
    // In front of the server with this socket folder. Blocks until it answers.
    // Throws: std::runtime_error with the end of its log. Thread: it ends with the thread that started it.
    explicit PgBouncer(const std::string& server_socket_folder, const PgBouncerSettings& settings = {});
    ~PgBouncer();
    PgBouncer(const PgBouncer&) = delete;
    PgBouncer& operator=(const PgBouncer&) = delete;

    void stop();   // at once: its connections are cut
    void start();  // blocks until it answers

    std::string url(std::string_view database) const { return url_in(folder_, database); }
    std::string socket() const;  // path of its Unix socket
    const std::filesystem::path& folder() const { return folder_; }
    // Of one whose folder is this, in another process perhaps.
    static std::string url_in(const std::filesystem::path& folder, std::string_view database);

private:
    std::filesystem::path folder_;
    pid_t process_ = -1;
};

}  // namespace tests

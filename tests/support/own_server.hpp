#pragma once

// A PostgreSQL of one test's own, for what the shared one must not suffer: it is stopped, crashed and started again,
// runs out of connections, or listens on TCP with a certificate. Everybody may enter, unless a file says otherwise.
// Gone with the object, or when the tests die.

#include "tests/support/temporary_folder.hpp"

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

struct OwnServerSettings {
    std::vector<std::string> server_settings{};  // each "name=value"
    bool tcp = false;                            // listens on 127.0.0.1 too, on a free port that stays the same
    std::map<std::string, std::string> files{};  // put into the data folder first: pg_hba.conf, server.crt, server.key
    std::map<std::string, std::string> environment{};  // of the server, beside the test's own
    std::filesystem::path folder{};                    // empty: a temporary one; else its data is below this one
    std::string standby_of{};  // URL of a running server: a copy that follows it until it is promoted
};

class OwnServer {
public:
    enum class Stop {
        fast,       // transactions are rolled back, sessions told
        immediate,  // as a crash: nobody is told, nothing is written, the next start recovers
    };

    // Makes the cluster and starts it. Blocks. Throws: std::runtime_error with the end of the server's log.
    // Thread: the server ends with the thread that started it.
    explicit OwnServer(OwnServerSettings settings = {});
    ~OwnServer();
    OwnServer(const OwnServer&) = delete;
    OwnServer& operator=(const OwnServer&) = delete;

    void stop(Stop how);  // blocks until it has ended
    void start();         // blocks until it accepts connections

    std::string url(std::string_view database = "postgres") const;  // over the Unix socket, as the superuser
    std::string socket() const;                                     // path of the Unix socket
    const std::filesystem::path& socket_folder() const { return socket_folder_; }
    int port() const { return port_; }  // of TCP; 0 without
    // Applies all migrations to that database.
    void migrate(std::string_view database = "postgres") const;
    pid_t pid() const { return server_; }
    // Puts a file into the data folder, readable by the server alone; the next start sees it.
    void write(std::string_view name, std::string_view text) const;

private:
    void make_cluster() const;
    std::filesystem::path data() const;
    std::filesystem::path log() const;

    TemporaryFolder folder_;
    OwnServerSettings settings_;
    std::filesystem::path socket_folder_;
    int port_ = 0;
    pid_t server_ = -1;
};

// Gives a file or folder to the user that servers run as. Throws: std::system_error.
void hand_over(const std::filesystem::path& path, mode_t mode);
int free_port();  // of TCP, just now

// Waits until a server, a child of this process, answers at that URL. Throws: std::runtime_error with the end of its
// log when it ended or takes too long.
void await_server(pid_t server, const std::string& url, const std::filesystem::path& log);

}  // namespace tests

#pragma once

// A private PostgreSQL from the installed server's binaries: `task-worker dev` and the tests run on it.
//
// Nothing listens on TCP: the only door is a Unix socket in a short temporary folder that no other user can enter. A
// process started as root runs the server as user postgres. When the owner dies, by SIGKILL too, the server shuts
// down by itself; the data stays and is found again by the next start.
//
//     folder/data           the cluster; made by initdb when missing
//     folder/postgres.log   what the server and initdb said since the last start
//     folder/holder         locked by the process that uses the folder: its id and where the socket is

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace worker {

struct EmbeddedPostgresSettings {
    std::filesystem::path folder;                // made when missing; empty means default_embedded_folder()
    bool durable = true;                         // false: faster, but a crash of the machine may cost the data
    std::vector<std::string> server_settings{};  // further settings of the server, each "name=value"
    std::chrono::seconds start_limit{60};        // crash recovery included
};

// For root /var/lib/task-worker/dev, since user postgres cannot enter root's own folders; else .task-worker here.
std::filesystem::path default_embedded_folder();

// The folder of initdb and postgres: of the major version named, or the newest installed when that is empty.
// Looks into /usr/lib/postgresql, then PATH, then asks pg_config.
// Throws: std::runtime_error that names the package to install when there is none.
std::filesystem::path find_postgres_binaries(std::string_view major_version = {});

// The process that uses a folder now.
struct EmbeddedHolder {
    pid_t pid;
    std::string url;  // of database postgres; the server may still be starting
};

// Who runs an embedded PostgreSQL on this folder; nothing when nobody does or the folder is new.
std::optional<EmbeddedHolder> read_embedded_holder(const std::filesystem::path& folder);

class EmbeddedPostgres {
public:
    // Makes the cluster when the folder has none, starts the server and returns when it accepts connections.
    // What a killed predecessor left (half a cluster, a stale pid file, a server still shutting down) is dealt with.
    //
    // Throws: std::runtime_error with the way out: no binaries, folder held by another process (named), folder that
    //         user postgres cannot enter, data of another version, or the last lines of the server's log.
    // Thread: blocks. The server also shuts down when the thread that called this ends: call it on the main thread.
    explicit EmbeddedPostgres(EmbeddedPostgresSettings settings);
    ~EmbeddedPostgres();  // stops
    EmbeddedPostgres(const EmbeddedPostgres&) = delete;
    EmbeddedPostgres& operator=(const EmbeddedPostgres&) = delete;

    // A libpq URI for one of the cluster's databases; `postgres` exists from the start.
    std::string url(std::string_view database = "postgres") const;

    pid_t pid() const { return server_; }
    const std::filesystem::path& folder() const { return settings_.folder; }
    const std::filesystem::path& binaries() const { return binaries_; }  // psql is there too

    // Fast shutdown: open transactions are rolled back, the data is complete on disk. Blocks until the server ended;
    // after ten seconds it is made to stop without its last checkpoint. Does nothing the second time.
    void stop() noexcept;

private:
    void open_folder();
    void make_cluster();
    void start_server();
    void wait_until_ready();

    EmbeddedPostgresSettings settings_;
    std::filesystem::path binaries_;
    std::filesystem::path socket_folder_;
    int holder_ = -1;  // descriptor of folder/holder, locked
    pid_t server_ = -1;
};

}  // namespace worker

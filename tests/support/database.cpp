#include "tests/support/database.hpp"

#include "db/connection.hpp"
#include "db/migrations.hpp"
#include "tests/support/run.hpp"
#include "worker/embedded_postgres.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace tests {

namespace fs = std::filesystem;

namespace {

// In memory where there is room for it: a clone takes 30 ms there and 180 ms on a disk.
fs::path roomy_folder() {
    const fs::path memory = "/dev/shm";
    std::error_code missing;
    const fs::space_info space = fs::space(memory, missing);
    const bool roomy = !missing && space.available > (std::uintmax_t{2} << 30);
    return roomy && access(memory.c_str(), W_OK) == 0 ? memory : fs::temp_directory_path();
}

// A temporary folder that goes away when this process ends, by SIGKILL too: a shell waits at a pipe that only we hold
// open, then for the server, which shuts down by itself and works in the folder, and removes the folder.
class TemporaryFolder {
public:
    TemporaryFolder() : path_(roomy_folder() / "task-worker-tests-XXXXXX") {
        std::string name = path_.string();
        if (mkdtemp(name.data()) == nullptr) fail("cannot create " + name);
        path_ = name;
        chmod(path_.c_str(), 0755);  // the server's user must pass; its data is its own
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe");
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);  // Ctrl-C is not for it
        const char* script = R"sh(
            exec >/dev/null 2>&1; cat
            for i in $(seq 300); do ls -l /proc/[0-9]*/cwd | grep -qF " $1" || break; sleep 0.1; done
            rm -rf "$(sed -n 2p "$1/holder")" "$1")sh";
        std::array<std::string, 5> texts{"sh", "-c", script, "sh", name};
        std::array<char*, 6> words{};
        for (std::size_t index = 0; index < texts.size(); ++index) words.at(index) = texts.at(index).data();
        const int error = posix_spawn(&cleaner_, "/bin/sh", &actions, &attributes, words.data(), environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        close(ends[0]);
        if (error != 0) throw std::system_error(error, std::generic_category(), "cannot start sh");
        alive_ = ends[1];
    }
    ~TemporaryFolder() {
        close(alive_);
        waitpid(cleaner_, nullptr, 0);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const fs::path& path() const { return path_; }

private:
    [[noreturn]] static void fail(const std::string& what) {
        throw std::system_error(errno, std::generic_category(), what);
    }

    fs::path path_;
    pid_t cleaner_ = -1;
    int alive_ = -1;
};

const std::string template_name = "template_migrated";

// Members end in reverse order: the server stops before its folder goes.
struct Cluster {
    TemporaryFolder folder;
    worker::EmbeddedPostgres postgres{
        {.folder = folder.path(),
         .durable = false,
         .server_settings = {"max_connections=200", "autovacuum=off", "max_wal_size=256MB"}}
    };
};

Cluster& cluster() {
    static Cluster only;
    return only;
}

db::Session open_session(boost::asio::io_context& context, const db::ConnectionSettings& settings) {
    return db::Session(run(context, [&] { return db::Connection::open(context.get_executor(), settings); }));
}

// The template is migrated once a process; nobody may be connected to it while it is cloned.
const std::string& migrated_template() {
    static const std::string name = [] {
        psql(server_url(), "create database " + template_name);
        boost::asio::io_context context;
        db::Session session = open_session(context, {.url = server_url(template_name)});
        run(context, [&] { return db::migrate_up(session); });
        return template_name;
    }();
    return name;
}

}  // namespace

std::string server_url(std::string_view database) {
    return cluster().postgres.url(database);
}

TestDatabase::TestDatabase(Content content) {
    static std::atomic<int> counter{0};
    name_ = fmt::format("test_{}", ++counter);
    url_ = server_url(name_);
    const std::string& source = content == Content::migrated ? migrated_template() : "template0";
    tests::psql(server_url(), fmt::format("create database {} template {}", name_, source));
}

TestDatabase::~TestDatabase() {
    try {
        tests::psql(server_url(), fmt::format("drop database if exists {} with (force)", name_));
    } catch (const std::exception& error) {
        fmt::print(stderr, "cannot drop {}: {}\n", name_, error.what());  // the whole cluster goes soon anyway
    }
}

db::Session TestDatabase::session(boost::asio::io_context& context) const {
    return open_session(context, settings());
}

std::string TestDatabase::value(const std::string& sql) const {
    const TextRows rows = psql(sql);
    if (rows.size() != 1 || rows.front().size() != 1) throw std::runtime_error("not one value: " + sql);
    return rows.front().front();
}

}  // namespace tests

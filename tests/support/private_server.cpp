#include "tests/support/private_server.hpp"

#include "tests/support/pgbouncer.hpp"
#include "tests/support/psql.hpp"
#include "worker/embedded_postgres.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <tuple>

namespace tests {

namespace fs = std::filesystem;

namespace {

constexpr char ready = '+';
constexpr char failed = '-';
constexpr std::string_view first_database = "postgres";

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

// In memory where there is room for it: a clone takes 30 ms there and 180 ms on a disk.
fs::path roomy_folder() {
    const fs::path memory = "/dev/shm";
    std::error_code missing;
    const fs::space_info space = fs::space(memory, missing);
    const bool roomy = !missing && space.available > (std::uintmax_t{2} << 30);
    return roomy && access(memory.c_str(), W_OK) == 0 ? memory : fs::temp_directory_path();
}

struct TemporaryFolder {
    TemporaryFolder() : path(roomy_folder() / "task-worker-tests-XXXXXX") {
        std::string name = path.string();
        if (mkdtemp(name.data()) == nullptr) fail("cannot create " + name);
        path = name;
        fs::permissions(path, fs::perms(0755));  // the server's user must pass; its data is its own
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    fs::path path;
};

// Reads until the end of a line or of the file.
std::string read_line(int file) {
    std::string line;
    char letter = 0;
    while (true) {
        const ssize_t count = read(file, &letter, 1);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0 || letter == '\n') return line;
        line += letter;
    }
}

void write_line(int file, char kind, std::string text) {
    for (char& letter : text) {
        if (letter == '\n') letter = ' ';
    }
    text.insert(text.begin(), kind);
    text += '\n';
    std::ignore = write(file, text.data(), text.size());  // nobody reads when the tests were killed meanwhile
}

// The keeper's life. It holds nothing of the tests' but its two ends of the pipes.
[[noreturn]] void keep(int alive, int report, bool with_pooler) {
    setsid();  // Ctrl-C is not for it
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGABRT, SIGSEGV}) signal(number, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    const int low_alive = dup2(alive, STDIN_FILENO);
    const int low_report = dup2(report, STDOUT_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    try {
        const TemporaryFolder folder;  // goes after the server
        const worker::EmbeddedPostgres postgres(
            {.folder = folder.path,
             .durable = false,
             .server_settings = {"max_connections=200", "autovacuum=off", "max_wal_size=256MB"}}
        );
        std::optional<PgBouncer> pooler;
        if (with_pooler) pooler.emplace(psql(postgres.url(), "show unix_socket_directories").at(0).at(0));
        const std::string pooler_folder = pooler ? pooler->folder().string() : std::string();
        write_line(low_report, ready, pooler_folder + ' ' + postgres.url(first_database));
        read_line(low_alive);
    } catch (const std::exception& error) {
        write_line(low_report, failed, error.what());
    }
    _exit(0);
}

}  // namespace

PrivateServer::PrivateServer(bool pooler) : owner_(getpid()) {
    std::array<int, 2> alive{};
    std::array<int, 2> report{};
    if (pipe2(alive.data(), O_CLOEXEC) != 0 || pipe2(report.data(), O_CLOEXEC) != 0) fail("pipe");
    const pid_t between = fork();  // ends at once, so that the keeper has no parent among the tests
    if (between < 0) fail("fork");
    if (between == 0) {
        if (fork() == 0) keep(alive[0], report[1], pooler);
        _exit(0);
    }
    waitpid(between, nullptr, 0);
    close(alive[0]);
    close(report[1]);
    alive_ = alive[1];
    from_keeper_ = report[0];
    const std::string line = read_line(from_keeper_);
    if (!line.starts_with(ready)) {
        close(alive_);
        close(from_keeper_);
        throw std::runtime_error("the tests' PostgreSQL did not start: " + line.substr(line.empty() ? 0 : 1));
    }
    const std::size_t space = line.find(' ');
    pooler_ = line.substr(1, space - 1);
    const std::size_t name = line.find("/" + std::string(first_database) + "?", space) + 1;
    before_name_ = line.substr(space + 1, name - space - 1);
    after_name_ = line.substr(name + first_database.size());
}

PrivateServer::~PrivateServer() {
    if (getpid() != owner_) return;
    close(alive_);
    read_line(from_keeper_);
    close(from_keeper_);
}

std::string PrivateServer::url(std::string_view database) const {
    return before_name_ + std::string(database) + after_name_;
}

std::string PrivateServer::pooler_url(std::string_view database) const {
    return PgBouncer::url_in(pooler_, database);
}

}  // namespace tests

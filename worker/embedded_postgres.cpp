#include "worker/embedded_postgres.hpp"

#include "worker/embedded_postgres_child.hpp"
#include "worker/embedded_postgres_folder.hpp"

#include <fmt/format.h>

#include <libpq-fe.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

namespace worker {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr auto initdb_limit = 120s;
constexpr auto shutdown_limit = 10s;

fs::path data_of(const fs::path& folder) {
    return folder / "data";
}
fs::path log_of(const fs::path& folder) {
    return folder / "postgres.log";
}

std::string failure_text(std::string_view program, int status, const fs::path& folder) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == exit_cannot_enter) {
        return fmt::format(
            "user postgres cannot enter {}: a folder above it is closed to other users; choose another data folder, "
            "such as /var/lib/task-worker/dev",
            folder.string()
        );
    }
    return fmt::format(
        "{} failed, {} {}; the end of {}:\n{}",
        program,
        WIFSIGNALED(status) ? "signal" : "exit code",
        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
        log_of(folder).string(),
        last_lines(log_of(folder))
    );
}

}  // namespace

fs::path default_embedded_folder() {
    return geteuid() == 0 ? fs::path("/var/lib/task-worker/dev") : fs::current_path() / ".task-worker";
}

std::optional<EmbeddedHolder> read_embedded_holder(const fs::path& folder) {
    if (!is_locked(folder)) return std::nullopt;
    const HolderText text = read_holder_text(folder);
    return EmbeddedHolder{.pid = text.pid, .url = socket_url(text.socket_folder, "postgres")};
}

EmbeddedPostgres::EmbeddedPostgres(EmbeddedPostgresSettings settings) : settings_(std::move(settings)) {
    if (settings_.folder.empty()) settings_.folder = default_embedded_folder();
    settings_.folder = fs::absolute(settings_.folder).lexically_normal();
    try {
        open_folder();
        start_server();
        wait_until_ready();
    } catch (...) {
        stop();
        throw;
    }
}

EmbeddedPostgres::~EmbeddedPostgres() {
    stop();
}

std::string EmbeddedPostgres::url(std::string_view database) const {
    return socket_url(socket_folder_, database);
}

void EmbeddedPostgres::open_folder() {
    make_folder(settings_.folder, server_user());
    holder_ = lock_holder(settings_.folder);
    remove_socket_folder(read_holder_text(settings_.folder).socket_folder);
    write_holder_text(holder_, {.pid = getpid(), .socket_folder = {}});
    fs::remove(log_of(settings_.folder));

    const fs::path data = data_of(settings_.folder);
    if (fs::exists(data)) {
        std::string version;
        std::getline(std::ifstream(data / "PG_VERSION"), version);
        binaries_ = find_postgres_binaries(version);
        settle_predecessor(data, 15s);
    } else {
        binaries_ = find_postgres_binaries();
        make_cluster();
    }
}

// The cluster is made beside its place and moved there when whole, so that one that is there is never half made.
void EmbeddedPostgres::make_cluster() {
    for (const fs::directory_entry& entry : fs::directory_iterator(settings_.folder)) {
        std::error_code still_written;  // by the initdb of a process killed just now; the next start finds it
        if (entry.path().filename().string().starts_with("data.new.")) fs::remove_all(entry.path(), still_written);
    }
    const std::optional<ServerUser> user = server_user();
    const fs::path fresh = settings_.folder / fmt::format("data.new.{}", getpid());
    fs::create_directory(fresh);
    fs::permissions(fresh, fs::perms::owner_all);
    if (user && chown(fresh.c_str(), user->uid, user->gid) != 0) {
        throw std::system_error(errno, std::generic_category(), "cannot hand over " + fresh.string());
    }
    std::vector<std::string> words{binaries_ / "initdb", "-D", fresh};
    for (const char* option :
         {"--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", "--no-sync"
         }) {
        words.emplace_back(option);
    }
    const pid_t child = start_child({
        .words = std::move(words),
        .folder = settings_.folder,
        .log = log_of(settings_.folder),
        .user = user,
        .signal_when_parent_dies = SIGKILL,
    });
    std::optional<int> status = wait_child(child, initdb_limit);
    if (!status) {
        kill(child, SIGKILL);
        status = wait_child(child, shutdown_limit);
    }
    if (status != 0) throw std::runtime_error(failure_text("initdb", status.value_or(SIGKILL), settings_.folder));
    fs::rename(fresh, data_of(settings_.folder));
}

void EmbeddedPostgres::start_server() {
    const std::optional<ServerUser> user = server_user();
    socket_folder_ = make_socket_folder(user);
    write_holder_text(holder_, {.pid = getpid(), .socket_folder = socket_folder_});
    std::vector<std::string> words{binaries_ / "postgres", "-D", data_of(settings_.folder)};
    const auto add = [&](std::string setting) {
        words.emplace_back("-c");
        words.push_back(std::move(setting));
    };
    if (!settings_.durable) {
        for (const char* setting : {"fsync=off", "synchronous_commit=off", "full_page_writes=off"}) add(setting);
    }
    for (const std::string& setting : settings_.server_settings) add(setting);
    // Last, so that no setting above opens another door.
    add("listen_addresses=");
    add("port=5432");
    add("unix_socket_directories=" + socket_folder_.string());
    server_ = start_child({
        .words = std::move(words),
        .folder = settings_.folder,
        .log = log_of(settings_.folder),
        .user = user,
        .signal_when_parent_dies = SIGINT,
    });
}

void EmbeddedPostgres::wait_until_ready() {
    const auto deadline = std::chrono::steady_clock::now() + settings_.start_limit;
    const std::string address = url();
    while (PQping(address.c_str()) != PQPING_OK) {
        if (const std::optional<int> status = wait_child(server_, 10ms)) {
            server_ = -1;
            throw std::runtime_error(failure_text("the private PostgreSQL", *status, settings_.folder));
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            throw std::runtime_error(fmt::format(
                "the private PostgreSQL did not accept connections within {} s; the end of {}:\n{}",
                settings_.start_limit.count(),
                log_of(settings_.folder).string(),
                last_lines(log_of(settings_.folder))
            ));
        }
    }
}

void EmbeddedPostgres::stop() noexcept {
    if (server_ > 0) {
        for (const int signal : {SIGINT, SIGQUIT, SIGKILL}) {
            kill(server_, signal);
            if (wait_child(server_, shutdown_limit)) break;
        }
        server_ = -1;
    }
    remove_socket_folder(socket_folder_);
    if (holder_ >= 0) {
        std::ignore = ftruncate(holder_, 0);  // what stays is read by nobody: the next holder overwrites it
        close(holder_);
        holder_ = -1;
    }
}

}  // namespace worker

#include "worker/embedded_postgres_folder.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <deque>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

namespace worker {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view socket_folder_name = "task-worker-";
constexpr std::size_t longest_socket_folder = 107 - sizeof("/.s.PGSQL.5432") + 1;

[[noreturn]] void throw_errno(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

// A lock of the open file, not of the process: it ends with the last descriptor, however the process ends.
struct flock whole_file(int type) {
    struct flock lock{};
    lock.l_type = static_cast<short>(type);
    lock.l_whence = SEEK_SET;
    return lock;
}

// Every process of a server works in its data folder, so this finds the postmaster and orphaned backends alike.
std::vector<pid_t> processes_in(const fs::path& folder) {
    const fs::path wanted = fs::canonical(folder);
    std::vector<pid_t> processes;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        pid_t pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
        std::error_code gone_or_foreign;
        if (fs::read_symlink(entry.path() / "cwd", gone_or_foreign) == wanted) processes.push_back(pid);
    }
    return processes;
}

}  // namespace

void make_folder(const fs::path& folder, const std::optional<ServerUser>& user) {
    if (fs::is_directory(folder)) return;
    if (folder.has_parent_path()) make_folder(folder.parent_path(), user);
    // A folder may have appeared in between; only one that cannot be used is an error.
    if (mkdir(folder.c_str(), 0700) != 0 && !fs::is_directory(folder)) throw_errno("cannot create " + folder.string());
    if (user) fs::permissions(folder, fs::perms(0755));
}

int lock_holder(const fs::path& folder) {
    const fs::path file = folder / "holder";
    const int holder = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (holder < 0) throw_errno("cannot write " + file.string());
    struct flock whole = whole_file(F_WRLCK);
    if (fcntl(holder, F_OFD_SETLK, &whole) == 0) return holder;
    const bool held = errno == EAGAIN || errno == EACCES;
    close(holder);
    if (!held) throw_errno("cannot lock " + file.string());
    throw std::runtime_error(fmt::format(
        "process {} already runs a private PostgreSQL on {}: stop that one, or choose another data folder",
        read_holder_text(folder).pid,
        folder.string()
    ));
}

bool is_locked(const fs::path& folder) {
    const int holder = open((folder / "holder").c_str(), O_RDONLY | O_CLOEXEC);
    if (holder < 0) return false;
    struct flock whole = whole_file(F_RDLCK);
    const bool asked = fcntl(holder, F_OFD_GETLK, &whole) == 0;
    close(holder);
    return asked && whole.l_type != F_UNLCK;
}

HolderText read_holder_text(const fs::path& folder) {
    HolderText text;
    std::ifstream file(folder / "holder");
    std::string socket_folder;
    if (file >> text.pid && std::getline(file >> std::ws, socket_folder)) text.socket_folder = socket_folder;
    return text;
}

void write_holder_text(int holder, const HolderText& text) {
    const std::string content = fmt::format("{}\n{}\n", text.pid, text.socket_folder.string());
    if (ftruncate(holder, 0) != 0 || pwrite(holder, content.data(), content.size(), 0) < 0) {
        throw_errno("cannot write the holder file");
    }
}

void settle_predecessor(const fs::path& data, std::chrono::seconds limit) {
    const fs::path pid_file = data / "postmaster.pid";
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (fs::exists(pid_file)) {
        const std::vector<pid_t> processes = processes_in(data);
        if (processes.empty()) {
            fs::remove(pid_file);
            return;
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            throw std::runtime_error(fmt::format(
                "a PostgreSQL server that this program did not start (process {}) uses {}: "
                "stop it with kill -INT, or choose another data folder",
                processes.front(),
                data.string()
            ));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

fs::path make_socket_folder(const std::optional<ServerUser>& user) {
    std::error_code no_temporary_folder;
    fs::path parent = fs::temp_directory_path(no_temporary_folder);
    const std::size_t length = parent.string().size() + socket_folder_name.size() + sizeof("/XXXXXX") - 1;
    if (user || no_temporary_folder || length > longest_socket_folder) parent = "/tmp";
    std::string folder = (parent / fmt::format("{}XXXXXX", socket_folder_name)).string();
    if (mkdtemp(folder.data()) == nullptr) throw_errno("cannot create a folder for the socket in " + parent.string());
    if (user && chown(folder.c_str(), user->uid, user->gid) != 0) throw_errno("cannot hand over " + folder);
    return folder;
}

void remove_socket_folder(const fs::path& folder) noexcept {
    std::error_code ignored;
    if (folder.filename().string().starts_with(socket_folder_name)) fs::remove_all(folder, ignored);
}

std::string socket_url(const fs::path& socket_folder, std::string_view database) {
    const auto encode = [](std::string_view text) {
        std::string encoded;
        for (const char letter : text) {
            const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                               (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' || letter == '.' ||
                               letter == '/';
            encoded += plain ? std::string(1, letter) : fmt::format("%{:02X}", static_cast<unsigned char>(letter));
        }
        return encoded;
    };
    // The folder behind the question mark: SQLAlchemy, node-postgres and Go know no other place for one.
    return fmt::format("postgresql://postgres@:5432/{}?host={}", encode(database), encode(socket_folder.string()));
}

std::string last_lines(const fs::path& log) {
    std::deque<std::string> lines;
    std::ifstream file(log);
    for (std::string line; std::getline(file, line);) {
        lines.push_back("  " + line.substr(0, 300));
        if (lines.size() > 8) lines.pop_front();
    }
    return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace worker

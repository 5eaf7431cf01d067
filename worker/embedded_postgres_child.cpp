#include "worker/embedded_postgres_child.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace worker {

std::optional<ServerUser> server_user() {
    if (geteuid() != 0) return std::nullopt;
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 16'384> text{};
    getpwnam_r("postgres", &entry, text.data(), text.size(), &found);
    if (found == nullptr) {
        throw std::runtime_error(
            "PostgreSQL does not run as root and there is no user postgres to run it as; "
            "the package postgresql-15 creates it: apt-get install postgresql-15"
        );
    }
    ServerUser user{.uid = entry.pw_uid, .gid = entry.pw_gid, .groups = std::vector<gid_t>(64)};
    int count = static_cast<int>(user.groups.size());
    if (getgrouplist(entry.pw_name, entry.pw_gid, user.groups.data(), &count) < 0) {
        count = static_cast<int>(user.groups.size());
    }
    user.groups.resize(static_cast<std::size_t>(count));
    return user;
}

namespace {

// Runs between fork and exec, where only async-signal-safe calls are allowed: everything was prepared by the parent.
[[noreturn]] void become(const ChildCommand& command, char* const* words, int log, pid_t parent) {
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) signal(number, SIG_DFL);
    if (command.user) {
        if (setgroups(command.user->groups.size(), command.user->groups.data()) != 0 ||
            setgid(command.user->gid) != 0 || setuid(command.user->uid) != 0) {
            _exit(exit_cannot_execute);
        }
    }
    // After setuid, which clears it. A parent that died before this line is noticed by the changed parent id.
    prctl(PR_SET_PDEATHSIG, command.signal_when_parent_dies);
    if (getppid() != parent) _exit(0);
    if (chdir(command.folder.c_str()) != 0) _exit(exit_cannot_enter);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    execv(words[0], words);
    _exit(exit_cannot_execute);
}

}  // namespace

pid_t start_child(const ChildCommand& command) {
    std::vector<std::string> texts = command.words;
    std::vector<char*> words;
    for (std::string& text : texts) words.push_back(text.data());
    words.push_back(nullptr);
    const int log = open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) throw std::system_error(errno, std::generic_category(), "cannot write " + command.log.string());
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) become(command, words.data(), log, parent);
    const int error = errno;
    close(log);
    if (child < 0) throw std::system_error(error, std::generic_category(), "cannot start " + command.words.front());
    return child;
}

std::optional<int> wait_child(pid_t child, std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
        int status = 0;
        const pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) return status;
        if (ended < 0 && errno != EINTR) return 0;  // somebody else has collected it
        if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

}  // namespace worker

#include "jobs/guard.hpp"

#include "jobs/unique_fd.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <mutex>
#include <vector>

namespace jobs {

namespace {

constexpr int most_groups = 32'768;

// The guard's life, in a process of its own: nothing but system calls, since it was forked from many threads.
[[noreturn]] void guard(int worker, const pid_t* groups) {
    ::setsid();
    ::prctl(PR_SET_NAME, "tw-guard");
    // A stop of the whole service reaches the guard too, and must not end it before the worker.
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) ::signal(number, SIG_IGN);
    ::dup2(worker, 0);
    ::syscall(SYS_close_range, 1, UINT_MAX, 0);
    [[maybe_unused]] const int ignored = ::chdir("/");
    char byte = 0;
    while (::read(0, &byte, 1) < 0 && errno == EINTR) {
    }
    for (int place = 0; place < most_groups; ++place) {
        const pid_t group = __atomic_load_n(&groups[place], __ATOMIC_ACQUIRE);
        if (group > 1) ::kill(-group, SIGKILL);
    }
    ::_exit(0);
}

// The list of one process.
class Guard {
public:
    Guard() {
        void* const memory =
            ::mmap(nullptr, most_groups * sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        std::array<int, 2> ends{-1, -1};
        if (memory == MAP_FAILED || ::pipe2(ends.data(), O_CLOEXEC) != 0) return;
        const UniqueFd reader(ends[0]);
        life_ = UniqueFd(ends[1]);
        groups_ = static_cast<pid_t*>(memory);
        // Forked twice, so that it is nobody's child here: who waits for any child never meets it.
        const pid_t parent = ::fork();
        if (parent == 0) {
            const pid_t child = ::fork();
            if (child == 0) guard(reader.get(), groups_);
            ::_exit(child < 0 ? 1 : 0);
        }
        int status = 0;
        while (parent > 0 && ::waitpid(parent, &status, 0) < 0 && errno == EINTR) {
        }
        if (parent > 0 && status == 0) return;
        groups_ = nullptr;
    }

    pid_t* take() {
        if (groups_ == nullptr) return nullptr;
        const std::lock_guard lock(mutex_);
        if (!free_.empty()) {
            pid_t* const place = free_.back();
            free_.pop_back();
            return place;
        }
        return used_ < most_groups ? &groups_[used_++] : nullptr;
    }

    void give_back(pid_t* place) {
        const std::lock_guard lock(mutex_);
        __atomic_store_n(place, 0, __ATOMIC_RELEASE);
        free_.push_back(place);
    }

    // Under the mutex no group leaves the list, so none of the numbers has been given to another.
    int kill_all() {
        const std::lock_guard lock(mutex_);
        int killed = 0;
        for (int place = 0; place < used_; ++place) {
            const pid_t group = __atomic_load_n(&groups_[place], __ATOMIC_ACQUIRE);
            if (group > 1 && ::kill(-group, SIGKILL) == 0) ++killed;
        }
        return killed;
    }

    bool is_of_this_process() const { return process_ == ::getpid(); }

private:
    pid_t process_ = ::getpid();
    UniqueFd life_;  // ends with the process: that wakes the guard
    pid_t* groups_ = nullptr;
    std::mutex mutex_;  // guards the two below
    std::vector<pid_t*> free_;
    int used_ = 0;
};

// A fork of a process that had a guard gets one of its own, when it starts programs.
Guard& guard_of_this_process() {
    static std::mutex mutex;
    static std::unique_ptr<Guard> own;  // guarded by mutex
    const std::lock_guard lock(mutex);
    if (!own || !own->is_of_this_process()) own = std::make_unique<Guard>();
    return *own;
}

}  // namespace

GuardedGroup::GuardedGroup() : place_(guard_of_this_process().take()) {}

void GuardedGroup::leave() {
    if (place_ != nullptr) guard_of_this_process().give_back(std::exchange(place_, nullptr));
}

int kill_guarded_groups() {
    return guard_of_this_process().kill_all();
}

void start_guard() {
    guard_of_this_process();
}

}  // namespace jobs

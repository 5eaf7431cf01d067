#pragma once

// Whether processes run or have ended, children or not, by their pidfds.

#include "jobs/unique_fd.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace tests {

// Waits for the end of a process; false when it lives on beyond the limit. A zombie has ended.
inline bool ends(pid_t process, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const jobs::UniqueFd watched(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
    if (watched.get() < 0) return errno == ESRCH;  // gone and collected
    pollfd event{.fd = watched.get(), .events = POLLIN, .revents = 0};
    return ::poll(&event, 1, static_cast<int>(limit.count())) == 1;
}

inline bool is_alive(pid_t process) {
    return !ends(process, std::chrono::milliseconds(0));
}

}  // namespace tests

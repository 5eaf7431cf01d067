#pragma once

// A wall clock that steps on command, for processes started with its environment (libfaketime). Their monotonic clock
// is left alone, as no step touches it.

#include "tests/support/temporary_folder.hpp"

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>

namespace tests {

class FakeClock {
public:
    FakeClock();  // right

    // Whether libfaketime is there: without it the clock is always right.
    static bool is_installed();
    // Whether this build's own programs can be started with it: the sanitizers cannot.
    static bool fits_this_build();

    std::map<std::string, std::string> environment() const;
    // From now on that much ahead; at once, for every process.
    void set(std::chrono::seconds ahead);

    // What a process that was killed leaves of it in /dev/shm.
    static void clear(pid_t process);

private:
    TemporaryFolder folder_;
};

}  // namespace tests

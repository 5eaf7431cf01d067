#pragma once

// What Linux tells about a process.

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace tests {

std::vector<std::string> descriptors_of(pid_t process);  // what each is open on
std::size_t open_descriptors();                          // of this process
std::size_t threads_of(pid_t process);
std::size_t children_of(pid_t process);  // running ones and such that nobody has waited for
int resident_mb(pid_t process);
int most_resident_mb(pid_t process);  // the most it ever was
// Until SIGSTOP has reached all of its threads, which takes its time.
void await_stopped(pid_t process);

}  // namespace tests

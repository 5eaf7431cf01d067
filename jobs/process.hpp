#pragma once

// Child processes: starting a program in a group of its own, signalling that group, reaping it.
// Nothing here waits for a program to end; Process::descriptor() is what the caller waits on.

#include "jobs/guard.hpp"
#include "jobs/unique_fd.hpp"

#include <boost/system/result.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobs {

struct ProcessSpec {
    std::vector<std::string> command;      // program and arguments, at least the program
    std::vector<std::string> environment;  // NAME=value, all that the program sees
    std::string cwd;                       // empty: the caller's
    std::optional<std::uint64_t> memory_bytes;
    std::optional<std::chrono::seconds> cpu;
    int input = -1;  // its standard streams: descriptors above 2 that stay the caller's
    int output = -1;
    int error = -1;
};

// How a program ended: by itself, with `code`, or by `signal` when that is not 0.
struct ProcessExit {
    int code = 0;
    int signal = 0;
};

struct StartError {
    std::string message;
};

// A started program and the group it leads. One that was not reaped is killed and reaped by the destructor.
class Process {
public:
    Process(pid_t pid, UniqueFd descriptor, GuardedGroup group)
        : pid_(pid), descriptor_(std::move(descriptor)), group_(std::move(group)) {}
    ~Process();
    Process(Process&& other) noexcept;
    Process& operator=(Process&&) = delete;

    pid_t pid() const { return pid_; }
    // Becomes readable when the program has ended. The caller takes it over, closing included.
    UniqueFd take_descriptor() { return std::move(descriptor_); }

    // Sends a signal to the program and all of its group. Does nothing once reaped.
    void signal(int number) const;

    // Whether the program has ended and can be collected without waiting.
    bool has_ended() const;

    // Allows so much more processor time than the program has used: SIGXCPU then.
    void allow_cpu(std::chrono::seconds time) const;

    // Collects a program that has ended, first killing whatever is left of its group: until the program is collected
    // its number, and so its group's, cannot be given to anyone else. Waits for one that has not ended.
    ProcessExit reap();

private:
    pid_t pid_;  // 0: reaped
    UniqueFd descriptor_;
    GuardedGroup group_;
};

// Starts a program: never through a shell, in a new process group, with default signal handling, nothing but the three
// standard streams open, the limits set, and killed by the kernel when the calling thread ends.
// A program name without a slash is looked for in the PATH of `spec.environment`.
//
// Thread: any that outlives the program. It is held up until the program's image is loaded, like posix_spawn.
boost::system::result<Process, StartError> start_process(const ProcessSpec& spec);

// Where programs are looked for without a PATH.
inline constexpr const char* default_path = "/usr/local/bin:/usr/bin:/bin";

// The file that a program name stands for: itself when it has a slash, else the first executable file of that name in
// the absolute folders of `path`. Empty when there is none.
std::string find_program(std::string_view name, std::string_view path);

// A descriptor from which exactly `bytes` can be read: a file in memory, so that no one has to write to a program which
// does not read. Empty when the system refuses.
UniqueFd readable_bytes(std::string_view bytes);

struct Pipe {
    UniqueFd reader;
    UniqueFd writer;
};
enum class PipeEnd { reader, writer };
// A pipe to a program: `ours` does not block, the other end does. Both empty when the system refuses. The descriptors
// are above 2.
Pipe make_pipe(PipeEnd ours = PipeEnd::reader);

// write(2) that answers EPIPE and raises no SIGPIPE, whatever the process does with that.
ssize_t write_quietly(int descriptor, std::string_view bytes);

// Bytes of a pipe, by either of its ends, that nobody has read.
std::size_t unread_bytes(int pipe);

}  // namespace jobs

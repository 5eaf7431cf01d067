#include "jobs/process.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

// clone(2) of the C library under its other name: thread sanitizer replaces the plain one by a wrapper that takes the
// child for a process with memory of its own, and aborts.
extern "C" int clone_in_place(int (*)(void*), void*, int, void*, ...) noexcept __asm__("__clone");

namespace jobs {

namespace {

enum class Step { none, orphaned, group, directory, limits, streams, program };

// All that the child needs, prepared beforehand, and what it says when it fails.
struct Launch {
    const char* program = nullptr;
    char* const* arguments = nullptr;
    char* const* environment = nullptr;
    const char* cwd = nullptr;
    std::array<int, 3> streams{};
    const rlimit* memory = nullptr;
    const rlimit* cpu = nullptr;
    pid_t parent = 0;
    pid_t* guarded = nullptr;
    Step failed = Step::none;
    int error = 0;
};

constexpr int signal_set_bytes = 8;  // the kernel's signal sets, and its sigaction's zero value, are plain bytes

// Runs on the caller's memory while the caller is held up: system calls alone, no library state, no allocation.
// Raw calls also keep the sanitizers' interceptors from recording the child's deeds as the parent's.
__attribute__((no_sanitize("address", "thread", "undefined"))) Step prepare_child(const Launch& launch) {
    constexpr std::array<std::byte, 64> zeros{};  // as a sigaction: the default; as a signal set: the empty one
    if (::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return Step::orphaned;
    if (::syscall(SYS_getppid) != launch.parent) return Step::orphaned;  // it died before it could be watched
    if (::syscall(SYS_setpgid, 0, 0) != 0) return Step::group;
    if (launch.guarded) __atomic_store_n(launch.guarded, static_cast<pid_t>(::syscall(SYS_getpid)), __ATOMIC_RELEASE);
    for (int number = 1; number < NSIG; ++number) {
        ::syscall(SYS_rt_sigaction, number, zeros.data(), nullptr, signal_set_bytes);  // KILL and STOP refuse: fine
    }
    for (int stream = 0; stream < 3; ++stream) {
        if (::syscall(SYS_dup3, launch.streams[static_cast<std::size_t>(stream)], stream, 0) < 0) return Step::streams;
    }
    // Where the kernel lacks the call, close-on-exec, set on all that we open, must do.
    ::syscall(SYS_close_range, 3, UINT_MAX, 0);
    if (launch.cwd && ::syscall(SYS_chdir, launch.cwd) != 0) return Step::directory;
    if (launch.memory && ::syscall(SYS_prlimit64, 0, RLIMIT_AS, launch.memory, nullptr) != 0) return Step::limits;
    if (launch.cpu && ::syscall(SYS_prlimit64, 0, RLIMIT_CPU, launch.cpu, nullptr) != 0) return Step::limits;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, zeros.data(), nullptr, signal_set_bytes);
    ::syscall(SYS_execve, launch.program, launch.arguments, launch.environment);
    return Step::program;
}

__attribute__((no_sanitize("address", "thread", "undefined"))) int child_main(void* argument) {
    auto* launch = static_cast<Launch*>(argument);
    const Step failed = prepare_child(*launch);
    launch->error = errno;
    launch->failed = failed;
    ::syscall(SYS_exit_group, 127);
    return 127;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (const std::string& string : strings) result.push_back(const_cast<char*>(string.c_str()));
    result.push_back(nullptr);
    return result;
}

std::string_view path_of(const std::vector<std::string>& environment) {
    constexpr std::string_view name = "PATH=";
    for (const std::string_view entry : environment) {
        if (entry.starts_with(name)) return entry.substr(name.size());
    }
    return default_path;
}

bool is_executable_file(const std::string& file) {
    struct stat status{};
    return ::access(file.c_str(), X_OK) == 0 && ::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::string describe(const Launch& launch, const ProcessSpec& spec) {
    const char* reason = std::strerror(launch.error);
    switch (launch.failed) {
        case Step::directory:
            return fmt::format("cannot run {}: cannot enter its folder {}: {}", spec.command[0], spec.cwd, reason);
        case Step::limits:
            return fmt::format("cannot run {}: cannot set its limits: {}", spec.command[0], reason);
        case Step::program:
            break;
        default:
            return fmt::format("cannot run {}: cannot prepare its process: {}", spec.command[0], reason);
    }
    if (launch.error == ENOEXEC) {
        return fmt::format(
            "cannot run {}: not a program (a script must start with #! and its interpreter)", launch.program
        );
    }
    if (launch.error == ENOENT && ::access(launch.program, F_OK) == 0) {
        return fmt::format("cannot run {}: the interpreter it names does not exist", launch.program);
    }
    return fmt::format("cannot run {}: {}", launch.program, reason);
}

// Descriptors 0 to 2 are the program's own; a worker started without them must not get its pipes there.
UniqueFd above_standard(UniqueFd descriptor) {
    if (!descriptor || descriptor.get() > 2) return descriptor;
    return UniqueFd(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 3));
}

}  // namespace

std::string find_program(std::string_view name, std::string_view path) {
    if (name.empty() || name.find('/') != std::string_view::npos) return std::string(name);
    while (!path.empty()) {
        const std::string_view folder = path.substr(0, path.find(':'));
        path.remove_prefix(std::min(path.size(), folder.size() + 1));
        if (!folder.starts_with('/')) continue;
        std::string file = fmt::format("{}/{}", folder, name);
        if (is_executable_file(file)) return file;
    }
    return {};
}

boost::system::result<Process, StartError> start_process(const ProcessSpec& spec) {
    const std::string_view path = path_of(spec.environment);
    const std::string program = find_program(spec.command.at(0), path);
    if (program.empty()) {
        return StartError{
            fmt::format("cannot run {}: no executable file of that name in PATH ({})", spec.command[0], path)
        };
    }
    const std::vector<char*> arguments = pointers(spec.command);
    const std::vector<char*> environment = pointers(spec.environment);
    const rlimit memory{spec.memory_bytes.value_or(0), spec.memory_bytes.value_or(0)};
    const auto seconds = static_cast<rlim_t>(spec.cpu.value_or(std::chrono::seconds(0)).count());
    const rlimit cpu{seconds, seconds + 5};  // SIGXCPU first, which names the reason; SIGKILL for who ignores it

    Launch launch;
    launch.program = program.c_str();
    launch.arguments = arguments.data();
    launch.environment = environment.data();
    launch.cwd = spec.cwd.empty() ? nullptr : spec.cwd.c_str();
    launch.streams = {spec.input, spec.output, spec.error};
    launch.memory = spec.memory_bytes ? &memory : nullptr;
    launch.cpu = spec.cpu ? &cpu : nullptr;
    launch.parent = ::getpid();
    GuardedGroup group;
    launch.guarded = group.place();

    // The child shares our memory until its exec: none of our signal handlers may run in it.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    alignas(16) std::array<std::byte, std::size_t{32} * 1024> stack;  // NOLINT(*-member-init): written by the child
    int descriptor = -1;
    const int pid = clone_in_place(
        child_main, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &launch, &descriptor
    );
    const int error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);

    if (pid < 0) return StartError{fmt::format("cannot start a process for {}: {}", program, std::strerror(error))};
    Process process(pid, UniqueFd(descriptor), std::move(group));
    if (launch.failed != Step::none) return StartError{describe(launch, spec)};
    return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), descriptor_(std::move(other.descriptor_)), group_(std::move(other.group_)) {}

Process::~Process() {
    if (pid_ != 0) reap();
}

void Process::signal(int number) const {
    if (pid_ == 0) return;
    ::kill(-pid_, number);
    if (number == SIGKILL) ::kill(pid_, number);    // should it have joined another group
    if (number == SIGTERM) ::kill(-pid_, SIGCONT);  // a stopped program could not obey
}

bool Process::has_ended() const {
    siginfo_t info{};
    const int result = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return result != 0 || info.si_pid == pid_;
}

void Process::allow_cpu(std::chrono::seconds time) const {
    clockid_t clock{};
    timespec used{};
    if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return;  // it has ended
    // The hard limit stays: once lowered it could not be raised for the next time.
    rlimit limit{};
    if (::prlimit(pid_, RLIMIT_CPU, nullptr, &limit) != 0) return;
    limit.rlim_cur = std::min(limit.rlim_max, static_cast<rlim_t>(used.tv_sec + (used.tv_nsec > 0) + time.count()));
    ::prlimit(pid_, RLIMIT_CPU, &limit, nullptr);
}

ProcessExit Process::reap() {
    // The whole group first, the program included: this returns only when it has ended.
    signal(SIGKILL);
    group_.leave();
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
    }
    pid_ = 0;
    if (info.si_code == CLD_EXITED) return {.code = info.si_status};
    return {.signal = info.si_status};
}

UniqueFd readable_bytes(std::string_view bytes) {
    constexpr unsigned not_executable = 0x8U;  // MFD_NOEXEC_SEAL: kernels from 6.3 want it, older ones do not know it
    UniqueFd file(::memfd_create("job", MFD_CLOEXEC | not_executable));
    if (!file && errno == EINVAL) file = UniqueFd(::memfd_create("job", MFD_CLOEXEC));
    file = above_standard(std::move(file));
    off_t offset = 0;  // of its own, so that the program reads from the start
    while (file && !bytes.empty()) {
        const ssize_t written = ::pwrite(file.get(), bytes.data(), bytes.size(), offset);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return {};
        bytes.remove_prefix(static_cast<std::size_t>(written));
        offset += written;
    }
    return file;
}

Pipe make_pipe(PipeEnd ours) {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
    Pipe pipe{above_standard(UniqueFd(ends[0])), above_standard(UniqueFd(ends[1]))};
    const UniqueFd& end = ours == PipeEnd::reader ? pipe.reader : pipe.writer;
    if (!pipe.reader || !pipe.writer || ::fcntl(end.get(), F_SETFL, O_NONBLOCK) != 0) return {};
    return pipe;
}

ssize_t write_quietly(int descriptor, std::string_view bytes) {
    sigset_t broken_pipe;
    sigset_t before;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    const int error = errno;
    if (written < 0 && error == EPIPE && sigismember(&before, SIGPIPE) == 0) {
        constexpr timespec at_once{};
        ::sigtimedwait(&broken_pipe, nullptr, &at_once);  // ours: it is raised for the thread that writes
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = error;
    return written;
}

std::size_t unread_bytes(int pipe) {
    int bytes = 0;
    return ::ioctl(pipe, FIONREAD, &bytes) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

}  // namespace jobs

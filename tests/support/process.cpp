#include "tests/support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string_view>

extern char** environ;

namespace tests {

Process::Process(std::string program, std::vector<std::string> arguments, const Environment& environment) {
    std::map<std::string, std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text = *entry;
        all[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
    }
    for (const auto& [name, value] : environment) all[name] = value;
    std::vector<std::string> texts;
    for (const auto& [name, value] : all) texts.push_back(name + "=" + value);
    std::vector<char*> envp;
    for (std::string& text : texts) envp.push_back(text.data());
    envp.push_back(nullptr);
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    pid_ = ::fork();
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(ends[1], STDERR_FILENO);
        ::dup2(ends[1], STDOUT_FILENO);
        ::close_range(STDERR_FILENO + 1, ~0U, 0);  // a proxy's connections are not the child's
        ::execve(program.c_str(), argv.data(), envp.data());
        ::_exit(127);
    }
    ::close(ends[1]);
    pipe_ = ends[0];
    if (pid_ < 0) throw std::runtime_error("fork failed");
    reader_ = std::thread([this] { read(); });
}

Process::~Process() {
    ::kill(pid_, SIGKILL);
    ::kill(pid_, SIGCONT);
    reader_.join();
    ::close(pipe_);
    ::waitpid(pid_, nullptr, 0);
}

void Process::read() {
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t got = ::read(pipe_, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        const std::lock_guard lock(mutex_);
        if (got <= 0) {
            closed_ = true;
            changed_.notify_all();
            return;
        }
        output_.append(buffer.data(), static_cast<std::size_t>(got));
        changed_.notify_all();
    }
}

void Process::signal(int number) const {
    if (::kill(pid_, number) != 0) throw std::runtime_error("the process is not there");
}

std::string Process::wait_for_line(const std::string& text, std::chrono::seconds limit) {
    std::unique_lock lock(mutex_);
    std::size_t found = std::string::npos;
    const auto there = [&] {
        found = output_.find(text);
        return closed_ || (found != std::string::npos && output_.find('\n', found) != std::string::npos);
    };
    changed_.wait_for(lock, limit, there);
    if (found == std::string::npos) throw std::runtime_error("no line with \"" + text + "\" but:\n" + output_);
    const std::size_t start = output_.rfind('\n', found);
    return output_.substr(start == std::string::npos ? 0 : start + 1, output_.find('\n', found) - start - 1);
}

int Process::wait_exit(std::chrono::seconds limit) {
    const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    pollfd waiting{descriptor, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds(limit).count()));
    ::close(descriptor);
    if (ready != 1) {
        throw std::runtime_error("the process did not end; its threads:\n" + threads_text() + "it wrote:\n" + output());
    }
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

// Where each thread is: its stack where gdb is at hand, else the kernel's function that it waits in.
std::string Process::threads_text() const {
    std::string text;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task")) {
        std::ifstream waits(task.path() / "wchan");
        text += task.path().filename().string() + " " + std::string{std::istreambuf_iterator<char>(waits), {}} + "\n";
    }
    const std::string command =
        "gdb --batch -p " + std::to_string(pid_) + " -ex 'thread apply all backtrace 20' 2>/dev/null";
    const std::unique_ptr<FILE, int (*)(FILE*)> stacks(::popen(command.c_str(), "r"), &::pclose);
    std::array<char, 4096> buffer{};
    while (stacks && std::fgets(buffer.data(), buffer.size(), stacks.get()) != nullptr) text += buffer.data();
    return text;
}

bool Process::has_ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
}

std::string Process::output() const {
    const std::lock_guard lock(mutex_);
    return output_;
}

namespace {
Process::Environment with_defaults(const std::string& url, Process::Environment environment) {
    const Process::Environment defaults{
        {"DATABASE_URL", url},
        {"TASK_WORKER_HTTP_LISTEN", "127.0.0.1:0"},
        {"TASK_WORKER_WORKER_HEARTBEAT", "300ms"},
        {"TASK_WORKER_WORKER_LEASE_TIMEOUT", "2s"},
        {"TASK_WORKER_WORKER_POLL", "200ms"},
        {"TASK_WORKER_LOG_FORMAT", "json"},
        {"DB_POOL_SIZE", "4"},
        {"DB_MAX_OVERFLOW", "2"},
    };
    environment.insert(defaults.begin(), defaults.end());
    return environment;
}

std::vector<std::string> run_command(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "run");
    return arguments;
}
}  // namespace

WorkerProcess::WorkerProcess(
    const std::string& url, Environment environment, std::vector<std::string> arguments, const std::string& program
)
    : Process(program, run_command(std::move(arguments)), with_defaults(url, std::move(environment))) {
    const std::string ready = wait_for_line("\"message\":\"ready\"");
    const std::string_view field = "\"http\":";
    const std::size_t port = ready.find(field);
    if (port != std::string::npos) http_port_ = std::atoi(ready.c_str() + port + field.size());
}

}  // namespace tests

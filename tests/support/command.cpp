#include "tests/support/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace tests {

namespace {

using Ends = std::array<int, 2>;

Ends make_pipe() {
    Ends ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    return ends;
}

void close_once(int& descriptor) {
    if (descriptor >= 0) close(descriptor);
    descriptor = -1;
}

std::vector<std::string> variables(const Command& command) {
    std::vector<std::string> texts;
    for (const char* name : {"PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
        const char* value = std::getenv(name);
        if (value != nullptr && !command.environment.contains(name)) texts.push_back(std::string(name) + "=" + value);
    }
    for (const auto& [name, value] : command.environment) {
        texts.push_back(name);
        texts.back() += "=" + value;
    }
    return texts;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

}  // namespace

Child::Child(const Command& command)
    : input_(command.input), name_(command.words.front()), deadline_(std::chrono::steady_clock::now() + command.limit) {
    const Ends in = make_pipe();
    const Ends out = make_pipe();
    const Ends err = make_pipe();
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    if (!command.folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, command.folder.c_str());
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    std::vector<std::string> words = command.words;
    std::vector<std::string> environment = variables(command);
    const int error = posix_spawn(
        &pid_, words.front().c_str(), &actions, &attributes, pointers(words).data(), pointers(environment).data()
    );
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    for (const int end : {in[0], out[1], err[1]}) close(end);
    in_ = in[1];
    out_ = out[0];
    err_ = err[0];
    if (error != 0) {
        for (int* end : {&in_, &out_, &err_}) close_once(*end);
        throw std::system_error(error, std::generic_category(), name_);
    }
    fcntl(in_, F_SETFL, O_NONBLOCK);
    if (input_.empty()) close_once(in_);
}

Child::~Child() {
    if (pid_ > 0) {
        kill(-pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    for (int* end : {&in_, &out_, &err_}) close_once(*end);
}

void Child::signal(int number) const {
    kill(pid_, number);
}

void Child::give_up(const std::string& why) const {
    throw std::runtime_error(name_ + " " + why + "\n" + finished_.output + finished_.errors);
}

void Child::write_some() {
    struct sigaction ignore{};
    struct sigaction before{};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &before);  // a program may end before it has read everything
    const ssize_t written = write(in_, input_.data(), input_.size());
    sigaction(SIGPIPE, &before, nullptr);
    if (written > 0) input_.erase(0, static_cast<std::size_t>(written));
    if (input_.empty() || (written < 0 && errno != EAGAIN)) close_once(in_);
}

// Moves what is there in either direction. False once both outputs have ended.
bool Child::read_some(std::chrono::steady_clock::time_point deadline) {
    if (out_ < 0 && err_ < 0) return false;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) give_up("has not ended in time:");
    std::array<pollfd, 3> ends{{{out_, POLLIN, 0}, {err_, POLLIN, 0}, {in_, POLLOUT, 0}}};
    poll(ends.data(), ends.size(), static_cast<int>(std::min<std::int64_t>(left, 1000)));
    const auto take = [](int& descriptor, const pollfd& end, std::string& text) {
        if (end.revents == 0) return;
        std::array<char, 65536> buffer{};
        const ssize_t got = read(descriptor, buffer.data(), buffer.size());
        if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
        if (got == 0 || (got < 0 && errno != EINTR)) close_once(descriptor);
    };
    take(out_, ends[0], finished_.output);
    take(err_, ends[1], finished_.errors);
    if (ends[2].revents != 0) write_some();
    return true;
}

void Child::wait_for(const std::string& text) {
    const auto is_there = [&] {
        return finished_.output.find(text) != std::string::npos || finished_.errors.find(text) != std::string::npos;
    };
    while (!is_there()) {
        if (!read_some(deadline_)) give_up("ended without: " + text);
    }
}

Finished Child::wait() {
    while (read_some(deadline_)) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    finished_.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return std::move(finished_);
}

Finished run_command(const Command& command) {
    return Child(command).wait();
}

}  // namespace tests

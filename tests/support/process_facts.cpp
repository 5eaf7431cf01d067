#include "tests/support/process_facts.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace fs = std::filesystem;

namespace tests {

namespace {

int status_mb(pid_t process, const std::string& field) {
    std::ifstream file(fmt::format("/proc/{}/status", process));
    for (std::string name; file >> name;) {
        int kilobytes = 0;
        if (name == field + ":" && file >> kilobytes) return kilobytes / 1024;
        file.ignore(1000, '\n');
    }
    throw std::runtime_error(fmt::format("no {} of process {}", field, process));
}

fs::directory_iterator folder_of(pid_t process, const char* name) {
    return fs::directory_iterator(fmt::format("/proc/{}/{}", process, name));
}

}  // namespace

std::vector<std::string> descriptors_of(pid_t process) {
    std::vector<std::string> descriptors;
    for (const auto& file : folder_of(process, "fd")) {
        std::error_code closed;
        descriptors.push_back(fs::read_symlink(file.path(), closed).string());
    }
    return descriptors;
}

std::size_t open_descriptors() {
    return descriptors_of(::getpid()).size();
}

std::size_t threads_of(pid_t process) {
    return static_cast<std::size_t>(std::distance(folder_of(process, "task"), fs::directory_iterator()));
}

std::size_t children_of(pid_t process) {
    std::size_t count = 0;
    for (const auto& task : folder_of(process, "task")) {
        std::ifstream file(task.path() / "children");
        count += static_cast<std::size_t>(std::distance(std::istream_iterator<pid_t>(file), {}));
    }
    return count;
}

int resident_mb(pid_t process) {
    return status_mb(process, "VmRSS");
}

int most_resident_mb(pid_t process) {
    return status_mb(process, "VmHWM");
}

void await_stopped(pid_t process) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    const auto is_stopped = [](const fs::directory_entry& task) {
        std::ifstream file(task.path() / "stat");
        const std::string words{std::istreambuf_iterator<char>(file), {}};
        const std::size_t name_end = words.rfind(')');  // the name may hold anything
        return name_end == std::string::npos || words.compare(name_end, 3, ") T") == 0;
    };
    while (!std::all_of(folder_of(process, "task"), fs::directory_iterator(), is_stopped)) {
        if (std::chrono::steady_clock::now() > limit)
            throw std::runtime_error(fmt::format("process {} does not stop", process));
    }
}

}  // namespace tests

#include "worker/log_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace worker {

namespace {

int open_for_lines(const std::string& path) {
    // Neither the programs of handlers nor others may have it.
    return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

std::string last_error() {
    return std::generic_category().message(errno);
}

// The bytes of `text` that were written.
std::size_t write_all(int file, std::string_view text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t written = ::write(file, text.data() + done, text.size() - done);
        if (written > 0) {
            done += static_cast<std::size_t>(written);
        } else if (errno != EINTR) {
            break;
        }
    }
    return done;
}

}  // namespace

LogFile::LogFile(std::string path) : path_(std::move(path)), file_(open_for_lines(path_)) {
    if (file_ < 0)
        throw std::runtime_error(
            "log.file (TASK_WORKER_LOG_FILE) \"" + path_ + "\" cannot be opened: " + last_error() +
            "; its folder must exist, and the worker's user must be able to write there"
        );
}

LogFile::~LogFile() {
    ::close(file_);
}

std::string LogFile::reopen() {
    const int fresh = open_for_lines(path_);
    if (fresh < 0) return last_error();
    const std::lock_guard lock(mutex_);
    ::close(std::exchange(file_, fresh));
    return {};
}

void LogFile::sink_it_(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t buffer;
    formatter_->format(message, buffer);
    const std::string_view line(buffer.data(), buffer.size());
    // A full disk: what does not fit goes where it may still be seen.
    if (const std::size_t done = write_all(file_, line); done < line.size()) write_all(STDERR_FILENO, line);
}

}  // namespace worker

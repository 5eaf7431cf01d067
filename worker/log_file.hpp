#pragma once

// The log as a file that logrotate may move away: lines are appended whole, and reopen() goes on in a new file.

#include <spdlog/sinks/base_sink.h>

#include <mutex>
#include <string>

namespace worker {

class LogFile final : public spdlog::sinks::base_sink<std::mutex> {
public:
    // Opens the file, or creates it, readable by owner and group. Throws: std::runtime_error, which names the setting.
    explicit LogFile(std::string path);
    ~LogFile() override;

    // Opens the path anew; what is written meanwhile is in the one file or the other. Answers why that failed, or
    // nothing: then the old file is kept. Thread: any.
    std::string reopen();

protected:
    void sink_it_(const spdlog::details::log_msg& message) override;
    void flush_() override {}

private:
    const std::string path_;
    int file_ = -1;
};

}  // namespace worker

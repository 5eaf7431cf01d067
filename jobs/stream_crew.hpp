#pragma once

// The programs of one stream handler that have no job.

#include "jobs/exec_output.hpp"
#include "jobs/exec_start.hpp"
#include "jobs/restarts.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace jobs {

// A program between two jobs: plain data, bound to no event loop. Killed and collected by the destructor.
struct StreamProgram {
    StartedProgram started;
    UniqueFd ended;  // becomes readable when it has ended
    UniqueFd input;  // its standard input, non-blocking
    LineSplitter out_lines;
    LineSplitter err_lines;
    bool is_fresh = true;  // it has not answered yet
};

// Thread: any, each member.
class StreamCrew {
public:
    explicit StreamCrew(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

    const ExecSpec& spec() const { return program_->spec; }

    // One that lives and was used last; empty when there is none. Collects those that have ended.
    std::unique_ptr<StreamProgram> take();
    // Starts one. Thread: see start_process().
    boost::system::result<std::unique_ptr<StreamProgram>, StartError> start(const std::string& kind) const;
    void give_back(std::unique_ptr<StreamProgram> program);

    // When the next one may be started, and what became of one.
    Restarts::Time next_start() const;
    void start_failed();
    void start_succeeded();

    // Ends those that are here in good order, and from now on every one that comes back.
    boost::asio::awaitable<void> close();

private:
    std::shared_ptr<const Program> program_;
    mutable std::mutex mutex_;  // guards all below
    std::vector<std::unique_ptr<StreamProgram>> idle_;
    Restarts restarts_;
    bool closed_ = false;
};

}  // namespace jobs

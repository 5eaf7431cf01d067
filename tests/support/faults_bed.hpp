#pragma once

// What the fault tests share: a queue whose jobs leave a trace, asked past every fault, and whether anything was lost.

#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace tests {

class FaultBed {
public:
    explicit FaultBed(std::string direct_url);  // of a migrated database

    // Jobs of the kind `work`, each with so many bytes of args. Its program takes 20 ms.
    void enqueue(int jobs, int bytes = 0);
    // A job whose first run says "here to stay" and, when it is asked to stop, "asked to stop": it does not end. The
    // next completes at once.
    void enqueue_stubborn();
    void await_stubborn() const;  // has completed
    void sql(const std::string& text) const;
    std::string value(const std::string& query) const;
    // Waits until a query answers `wanted`: what is awaited here is a commit of another process.
    void await(const std::string& query, const std::string& wanted) const;
    void await_running() const;   // a job of `work` runs
    void await_finished() const;  // every job enqueued so far

    // The same from `since` on, printed: how long it took until everything was well again.
    using Time = std::chrono::steady_clock::time_point;
    static Time now() { return std::chrono::steady_clock::now(); }
    void await_recovery(const std::string& fault, Time since) const;

    // Empty when every job enqueued has completed, is there once, and never ran in two processes at once.
    std::string loss() const;
    // How many workers another has declared dead, ever.
    std::string declared_dead() const;

    // For a worker: the handler, and time limits that make a test short.
    std::vector<std::string> arguments() const { return {"--config", folder_.path() + "/config.yml"}; }
    static Process::Environment environment(Process::Environment more = {});

private:
    std::string url_;
    TemporaryFolder folder_;
    int enqueued_ = 0;
};

}  // namespace tests

#pragma once

// For the tests of handlers: a context without a worker and without a database.
//
//   jobs::TestContext test({{"to", "a@b.c"}});
//   const jobs::Outcome outcome = test.run(jobs::typed_handler<SendEmail>(send_email));
//   assert(std::holds_alternative<jobs::Complete>(outcome));
//   assert(test.progress.back().done == 3);

#include "jobs/handler.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace jobs {

class TestContext {
public:
    explicit TestContext(boost::json::value args = nullptr);
    explicit TestContext(Job job);  // when more than its args matters

    // Runs the handler to its end, on an event loop of its own, and answers its outcome.
    // Throws: what the handler throws (for a worker that is a retry); std::runtime_error after the limit.
    Outcome run(const Handler& handler, std::chrono::seconds limit = std::chrono::seconds(10));

    JobContext& context() { return context_; }
    // As when the job is cancelled, times out, ...: at once, or from on_progress or on_log. Thread: any.
    void stop(StopReason reason) { context_.request_stop(reason); }

    // What the handler reported. Written on the handler's threads, one at a time: to be read after run().
    std::vector<Progress> progress;
    std::vector<std::string> log;
    // Called with each report, on the handler's thread.
    std::function<void(const Progress&)> on_progress;
    std::function<void(const std::string&)> on_log;

private:
    ContextHooks hooks();

    JobContext context_;
};

}  // namespace jobs

#pragma once

// Jobs for a stream handler, one after the other, with a real program, most of them a few lines for sh.

#include "jobs/stream.hpp"
#include "tests/support/exec_run.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace tests {

class StreamRun {
public:
    explicit StreamRun(jobs::ExecSpec spec)
        : counters(std::make_shared<jobs::ProgramCounters>()),
          handler_(make_stream_handler(std::move(spec), counters)) {}
    explicit StreamRun(const std::string& script) : StreamRun(sh(script)) {}

    // The outcome in words.
    std::string run_in(jobs::JobContext& job) {
        return outcome_text(tests::run(context, [&] { return handler_.handler(job); }));
    }
    std::string run(Seen* seen = nullptr, std::string_view args = "{}") {
        Seen unseen;
        jobs::JobContext job(a_job(args), (seen ? *seen : unseen).hooks());
        return run_in(job);
    }
    void close() { tests::run(context, handler_.close); }
    const jobs::Handler& handler() const { return handler_.handler; }

    const std::shared_ptr<jobs::ProgramCounters> counters;
    boost::asio::io_context context;

private:
    jobs::StreamHandler handler_;
};

}  // namespace tests

#include "jobs/testing.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace jobs {

namespace asio = boost::asio;

namespace {

Job job_with(boost::json::value args) {
    Job job;
    job.id = queue::JobId{128};
    job.kind = "test";
    job.args = std::move(args);
    return job;
}

}  // namespace

TestContext::TestContext(boost::json::value args) : TestContext(job_with(std::move(args))) {}

TestContext::TestContext(Job job) : context_(std::move(job), hooks()) {}

ContextHooks TestContext::hooks() {
    ContextHooks hooks;
    hooks.on_progress = [this](const Job&, const Progress& report) {
        progress.push_back(report);
        if (on_progress) on_progress(report);
    };
    hooks.on_log = [this](const Job&, LogLevel, std::string_view line) {
        log.emplace_back(line);
        if (on_log) on_log(log.back());
    };
    return hooks;
}

Outcome TestContext::run(const Handler& handler, std::chrono::seconds limit) {
    std::optional<Outcome> outcome;
    std::exception_ptr failure;
    asio::io_context loop;
    asio::co_spawn(
        loop,
        [&] { return handler(context_); },
        [&](std::exception_ptr error, Outcome answered) {
            failure = std::move(error);
            outcome = std::move(answered);
            loop.stop();
        }
    );
    loop.run_for(limit);
    if (failure) std::rethrow_exception(failure);
    if (!outcome) throw std::runtime_error("the handler did not end in time");
    return std::move(*outcome);
}

}  // namespace jobs

#include "jobs/stream_crew.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <utility>

namespace jobs {

namespace asio = boost::asio;

namespace {

using Programs = std::vector<std::unique_ptr<StreamProgram>>;

std::vector<std::string> environment_of(const Program& program, const std::string& kind) {
    std::vector<std::string> environment{"JOB_KIND=" + kind};
    for (const auto& [name, value] : program.environment) {
        if (name != "JOB_KIND") environment.push_back(fmt::format("{}={}", name, value));
    }
    return environment;
}

struct Watch {
    explicit Watch(const asio::any_io_executor& strand) : descriptor(strand), timer(strand) {}
    asio::posix::stream_descriptor descriptor;  // of the program that is waited for
    asio::steady_timer timer;
    bool is_late = false;
};

// Waits for the end of all of them, on a strand, until the time is up; kills and collects those that are left.
asio::awaitable<void> await_ends(Programs programs, std::chrono::milliseconds limit) {
    const auto watch = std::make_shared<Watch>(co_await asio::this_coro::executor);
    boost::system::error_code ignored;
    watch->timer.expires_after(limit);
    watch->timer.async_wait([watch](boost::system::error_code error) {
        if (error) return;
        watch->is_late = true;
        boost::system::error_code none;
        watch->descriptor.cancel(none);
    });
    for (const std::unique_ptr<StreamProgram>& program : programs) {
        watch->descriptor.assign(program->ended.release());
        while (!watch->is_late && !program->started.process.has_ended()) {
            co_await watch->descriptor.async_wait(
                asio::posix::stream_descriptor::wait_read, asio::redirect_error(asio::use_awaitable, ignored)
            );
        }
        watch->descriptor.close(ignored);
    }
    watch->timer.cancel();
}

}  // namespace

std::unique_ptr<StreamProgram> StreamCrew::take() {
    Programs ended;  // collected unlocked
    const std::lock_guard lock(mutex_);
    while (!idle_.empty()) {
        std::unique_ptr<StreamProgram> program = std::move(idle_.back());
        idle_.pop_back();
        if (!program->started.process.has_ended()) return program;
        ended.push_back(std::move(program));
    }
    return {};
}

boost::system::result<std::unique_ptr<StreamProgram>, StartError> StreamCrew::start(const std::string& kind) const {
    Pipe pipe = make_pipe(PipeEnd::writer);
    auto started = start_program(*program_, environment_of(*program_, kind), pipe.reader.get());
    if (!started) return started.error();
    UniqueFd ended = started->process.take_descriptor();
    return std::make_unique<StreamProgram>(StreamProgram{
        .started = std::move(*started),
        .ended = std::move(ended),
        .input = std::move(pipe.writer),
        .out_lines = LineSplitter(longest_message(spec())),
        .err_lines = LineSplitter(longest_log_line),
    });
}

void StreamCrew::give_back(std::unique_ptr<StreamProgram> program) {
    Programs ended;
    const std::lock_guard lock(mutex_);
    if (closed_) {
        ended.push_back(std::move(program));
        return;
    }
    idle_.push_back(std::move(program));
    for (std::unique_ptr<StreamProgram>& one : idle_) {
        if (one->started.process.has_ended()) ended.push_back(std::move(one));
    }
    std::erase(idle_, nullptr);
}

Restarts::Time StreamCrew::next_start() const {
    const std::lock_guard lock(mutex_);
    return restarts_.next();
}

void StreamCrew::start_failed() {
    const std::lock_guard lock(mutex_);
    restarts_.failed(std::chrono::steady_clock::now());
}

void StreamCrew::start_succeeded() {
    const std::lock_guard lock(mutex_);
    restarts_.succeeded();
}

asio::awaitable<void> StreamCrew::close() {
    Programs programs;
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        programs.swap(idle_);
    }
    for (const std::unique_ptr<StreamProgram>& program : programs) program->input = {};
    if (programs.empty()) co_return;
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    co_await asio::co_spawn(
        asio::make_strand(executor), await_ends(std::move(programs), spec().kill_after), asio::use_awaitable
    );
}

}  // namespace jobs

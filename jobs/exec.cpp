#include "jobs/exec.hpp"

#include "jobs/exec_input.hpp"
#include "jobs/exec_output.hpp"
#include "jobs/exec_protocol.hpp"
#include "jobs/process.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <stop_token>

namespace jobs {

namespace asio = boost::asio;

namespace {

using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t piece_size = std::size_t{64} * 1024;
// What one turn reads of a stream before others have theirs, and at most after the end: as much as a pipe can hold.
constexpr std::size_t turn_size = std::size_t{1024} * 1024;
constexpr std::size_t longest_log_line = std::size_t{64} * 1024;

struct Program {
    ExecSpec spec;
    std::map<std::string, std::string> environment;
};

struct Stream {
    asio::posix::stream_descriptor descriptor;
    LineSplitter lines;
};

// One run of a program. Everything in here happens on one strand.
class Execution : public std::enable_shared_from_this<Execution> {
public:
    Execution(const asio::any_io_executor& strand, const ExecSpec& spec, JobContext& context, Process process)
        : spec_(spec),
          context_(context),
          process_(std::move(process)),
          ended_(strand, process_.take_descriptor().release()),
          timer_(strand),
          // Written with spaces and escapes a result is longer than what its limit counts.
          out_{asio::posix::stream_descriptor(strand), LineSplitter(4 * spec.result_limit + 1024)},
          err_{asio::posix::stream_descriptor(strand), LineSplitter(longest_log_line)},
          log_(spec.output_limit, [this](LogLevel level, std::string_view line) { context_.log(level, line); }) {}

    void start(UniqueFd out, UniqueFd err) {
        out_.descriptor.assign(out.release());
        err_.descriptor.assign(err.release());
        wait_to_read(out_);
        wait_to_read(err_);
        const auto deadline = context_.deadline();
        if (!deadline) return;
        timeout_ = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(*deadline - steady_clock::now()));
        timer_.expires_at(*deadline);
        timer_.async_wait([self = shared_from_this()](error_code error) {
            if (!error) self->stop(StopReason::timeout);
        });
    }

    asio::awaitable<void> wait() {
        // Asio reports readiness of a descriptor that is closed already to the one that took its place: it can wake us
        // while the program still runs.
        while (!process_.has_ended()) co_await ended_.async_wait(ended_.wait_read, asio::use_awaitable);
    }

    void stop(StopReason reason) {
        if (over_ || ending_.stopped != StopReason::none) return;
        ending_.stopped = reason;
        process_.signal(SIGTERM);
        timer_.expires_after(spec_.kill_after);
        timer_.async_wait([self = shared_from_this()](error_code error) {
            if (!error && !self->over_) self->process_.signal(SIGKILL);
        });
    }

    // The outcome of a program that has ended.
    Outcome finish() {
        ending_.exit = process_.reap();
        // What it printed last still stands in the pipes; whoever else holds them open is not waited for.
        read_available(out_);
        read_available(err_);
        out_.lines.finish([this](std::string_view line, std::size_t left_out) { take_out(line, left_out); });
        err_.lines.finish([this](std::string_view line, std::size_t left_out) { take_err(line, left_out); });
        over_ = true;
        error_code ignored;
        out_.descriptor.close(ignored);
        err_.descriptor.close(ignored);
        ended_.close(ignored);
        timer_.cancel();
        log_.finish();
        ending_.timeout = timeout_;
        ending_.log_tail = log_.tail();
        return outcome_of(std::move(ending_));
    }

private:
    void wait_to_read(Stream& stream) {
        stream.descriptor.async_wait(
            asio::posix::stream_descriptor::wait_read,
            [self = shared_from_this(), &stream](error_code error) {
                if (error || self->over_ || !self->read_available(stream)) return;
                self->wait_to_read(stream);
            }
        );
    }

    // Reads what is there, at most one turn's worth. False when nothing can come any more.
    bool read_available(Stream& stream) {
        thread_local std::array<char, piece_size> piece;
        for (std::size_t total = 0; total < turn_size && stream.descriptor.is_open();) {
            const ssize_t got = ::read(stream.descriptor.native_handle(), piece.data(), piece.size());
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && errno == EAGAIN) return true;
            if (got <= 0) {
                error_code ignored;
                stream.descriptor.close(ignored);
                return false;
            }
            const std::string_view bytes(piece.data(), static_cast<std::size_t>(got));
            total += bytes.size();
            stream.lines.feed(bytes, [&](std::string_view line, std::size_t left_out) {
                if (&stream == &out_) {
                    take_out(line, left_out);
                } else {
                    take_err(line, left_out);
                }
            });
        }
        return stream.descriptor.is_open();
    }

    void take_err(std::string_view line, std::size_t left_out) { log_.add(LogLevel::warning, line, left_out); }

    void take_out(std::string_view line, std::size_t left_out) {
        Message message = read_line(line, left_out, spec_.result_limit);
        if (auto* progress = std::get_if<Progress>(&message)) {
            context_.progress(progress->done, progress->total, std::move(progress->message));
        } else if (auto* success = std::get_if<OnSuccess>(&message)) {
            ending_.on_success = std::move(success->outcome);
        } else if (auto* verdict = std::get_if<Verdict>(&message)) {
            ending_.verdict = std::move(verdict->outcome);
        } else {
            log_.add(LogLevel::info, line, left_out);
            const std::string& warning = std::get<LogLine>(message).warning;
            if (!warning.empty()) log_.add(LogLevel::warning, warning);
        }
    }

    const ExecSpec& spec_;  // the handler's, which outlives its runs
    JobContext& context_;   // touched only before finish() returns
    Process process_;
    asio::posix::stream_descriptor ended_;  // becomes readable when the program ends
    asio::steady_timer timer_;              // the deadline; once stopped, the time to kill
    Stream out_;
    Stream err_;
    LogCapture log_;
    Ending ending_;
    milliseconds timeout_{0};
    bool over_ = false;
};

asio::awaitable<Outcome> run_program(std::shared_ptr<const Program> program, JobContext& context) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const asio::any_io_executor strand = co_await asio::this_coro::executor;
    if (context.stop_reason() != StopReason::none) co_return outcome_of_stop(context.stop_reason(), {});

    const UniqueFd input = readable_bytes(job_document(context.job()));
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    if (!input || !out.writer || !err.writer) {
        co_return Retry{
            "cannot run " + program->spec.command[0] + ": no descriptors or memory left for its streams", {}
        };
    }
    auto started = start_process({
        .command = program->spec.command,
        .environment = job_environment(program->environment, context.job()),
        .cwd = program->spec.cwd,
        .memory_bytes = program->spec.memory_bytes,
        .cpu = program->spec.cpu,
        .input = input.get(),
        .output = out.writer.get(),
        .error = err.writer.get(),
    });
    if (!started) co_return Retry{started.error().message, {}};
    out.writer = {};
    err.writer = {};

    const auto execution = std::make_shared<Execution>(strand, program->spec, context, std::move(*started));
    execution->start(std::move(out.reader), std::move(err.reader));
    const std::stop_callback on_stop(context.stop_token(), [execution, strand, &context] {
        asio::post(strand, [execution, reason = context.stop_reason()] { execution->stop(reason); });
    });
    co_await execution->wait();
    co_return execution->finish();
}

asio::awaitable<Outcome> run_on_strand(std::shared_ptr<const Program> program, JobContext& context) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const asio::any_io_executor strand = asio::make_strand(executor);
    Outcome outcome = co_await asio::co_spawn(strand, run_program(std::move(program), context), asio::use_awaitable);
    co_return outcome;
}

}  // namespace

Handler make_exec_handler(ExecSpec spec) {
    if (spec.command.empty()) throw std::invalid_argument("an exec handler needs a command");
    auto environment = shared_environment(spec, ::environ);
    auto program = std::make_shared<const Program>(Program{std::move(spec), std::move(environment)});
    return [program](JobContext& context) { return run_on_strand(program, context); };
}

}  // namespace jobs

#include "jobs/exec.hpp"

#include "jobs/exec_input.hpp"
#include "jobs/exec_output.hpp"
#include "jobs/exec_protocol.hpp"
#include "jobs/exec_start.hpp"
#include "jobs/line_reader.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <signal.h>

#include <algorithm>
#include <stop_token>

namespace jobs {

namespace asio = boost::asio;

namespace {

using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// One run of a program. Everything in here happens on one strand.
class Execution : public std::enable_shared_from_this<Execution> {
public:
    // `begin`: of the attempt.
    Execution(
        const asio::any_io_executor& strand,
        const ExecSpec& spec,
        JobContext& context,
        StartedProgram program,
        steady_clock::time_point begin
    )
        : begin_(begin),
          spec_(spec),
          context_(context),
          program_(std::move(program)),
          ended_(strand, program_.process.take_descriptor().release()),
          timer_(strand),
          out_lines_(longest_message(spec)),
          err_lines_(longest_log_line),
          out_(strand, out_lines_, {[this](std::string_view line, std::size_t cut) { take_out(line, cut); }}),
          err_(strand, err_lines_, {[this](std::string_view line, std::size_t cut) { take_err(line, cut); }}),
          log_(spec.output_limit, [this](LogLevel level, std::string_view line) { context_.log(level, line); }) {}

    void start() {
        out_.start(std::move(program_.out), shared_from_this());
        err_.start(std::move(program_.err), shared_from_this());
        const auto deadline = context_.deadline();
        if (!deadline) return;
        timeout_ = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(*deadline - begin_));
        timer_.expires_at(*deadline);
        timer_.async_wait([self = shared_from_this()](error_code error) {
            if (!error) self->stop(StopReason::timeout);
        });
    }

    asio::awaitable<void> wait() {
        // Asio reports readiness of a descriptor that is closed already to the one that took its place: it can wake us
        // while the program still runs.
        while (!program_.process.has_ended()) co_await ended_.async_wait(ended_.wait_read, asio::use_awaitable);
    }

    void stop(StopReason reason) {
        if (over_ || ending_.stopped != StopReason::none) return;
        ending_.stopped = reason;
        program_.process.signal(SIGTERM);
        timer_.expires_after(spec_.kill_after);
        timer_.async_wait([self = shared_from_this()](error_code error) {
            if (!error && !self->over_) self->program_.process.signal(SIGKILL);
        });
    }

    // The outcome of a program that has ended.
    Outcome finish() {
        ending_.exit = program_.process.reap();
        // What it printed last still stands in the pipes; whoever else holds them open is not waited for.
        out_.read_available();
        err_.read_available();
        out_.finish_line();
        err_.finish_line();
        over_ = true;
        out_.stop();
        err_.stop();
        error_code ignored;
        ended_.close(ignored);
        timer_.cancel();
        log_.finish();
        ending_.timeout = timeout_;
        ending_.log_tail = log_.tail();
        return outcome_of(std::move(ending_));
    }

private:
    void take_err(std::string_view line, std::size_t left_out) { log_.add(LogLevel::warning, line, left_out); }

    void take_out(std::string_view line, std::size_t left_out) {
        Message message = read_line(line, left_out, spec_.result_limit, context_.job().id);
        if (auto* progress = std::get_if<Progress>(&message)) {
            context_.progress(progress->done, progress->total, std::move(progress->message));
        } else if (auto* success = std::get_if<OnSuccess>(&message)) {
            ending_.on_success = std::move(success->outcome);
        } else if (auto* verdict = std::get_if<Verdict>(&message)) {
            ending_.verdict = std::move(verdict->outcome);
        } else if (auto* log = std::get_if<LogLine>(&message)) {
            log_.add(LogLevel::info, line, left_out);
            if (!log->warning.empty()) log_.add(LogLevel::warning, log->warning);
        }
    }

    const steady_clock::time_point begin_;
    const ExecSpec& spec_;  // the handler's, which outlives its runs
    JobContext& context_;   // touched only before finish() returns
    StartedProgram program_;
    asio::posix::stream_descriptor ended_;  // becomes readable when the program ends
    asio::steady_timer timer_;              // the deadline; once stopped, the time to kill
    LineSplitter out_lines_;
    LineSplitter err_lines_;
    LineReader out_;
    LineReader err_;
    LogCapture log_;
    Ending ending_;
    milliseconds timeout_{0};
    bool over_ = false;
};

asio::awaitable<Outcome> run_program(std::shared_ptr<const Program> program, JobContext& context) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const asio::any_io_executor strand = co_await asio::this_coro::executor;
    const auto begin = steady_clock::now();
    if (context.stop_reason() != StopReason::none) co_return outcome_of_stop(context.stop_reason(), {});

    const UniqueFd input = readable_bytes(job_document(context.job()));
    auto started = start_program(*program, job_environment(program->environment, context.job()), input.get());
    if (!started) co_return Retry{started.error().message, {}};

    const auto execution = std::make_shared<Execution>(strand, program->spec, context, std::move(*started), begin);
    execution->start();
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

Handler make_exec_handler(ExecSpec spec, std::shared_ptr<ProgramCounters> counters) {
    return [program = make_program(std::move(spec), std::move(counters))](JobContext& context) {
        return run_on_strand(program, context);
    };
}

}  // namespace jobs

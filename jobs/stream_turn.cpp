#include "jobs/stream_turn.hpp"

#include "jobs/exec_protocol.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace jobs {

namespace asio = boost::asio;

using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

StreamTurn::StreamTurn(
    const asio::any_io_executor& strand,
    const ExecSpec& spec,
    JobContext& context,
    std::unique_ptr<StreamProgram> program,
    steady_clock::time_point begin
)
    : begin_(begin),
      spec_(spec),
      context_(context),
      program_(std::move(program)),
      out_(
          strand,
          program_->out_lines,
          {.on_line = [this](std::string_view line, std::size_t left_out) { take_line(line, left_out); },
           .on_end = [this] { hang_up("standard output"); }}
      ),
      err_(
          strand,
          program_->err_lines,
          {.on_line =
               [this](std::string_view line, std::size_t left_out) { log_.add(LogLevel::warning, line, left_out); }}
      ),
      ended_(strand),
      input_(strand),
      timer_(strand),
      changed_(strand, steady_clock::time_point::max()),
      log_(spec.output_limit, [this](LogLevel level, std::string_view line) { context_.log(level, line); }) {}

asio::awaitable<void> StreamTurn::run(std::string_view line) {
    unsent_ = line;
    begin();
    error_code ignored;
    while (!is_over()) co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void StreamTurn::begin() {
    ended_.assign(program_->ended.release());
    watch_end();
    out_.start(std::move(program_->started.out), shared_from_this());
    err_.start(std::move(program_->started.err), shared_from_this());
    has_job_ = program_->is_fresh;
    if (!has_job_ && !is_in_step()) {
        end_program();
        return;
    }
    has_job_ = true;
    if (spec_.cpu) program_->started.process.allow_cpu(*spec_.cpu);
    watch_deadline();
    send();
}

// Looks at what the program printed since its last answer: log, at most.
bool StreamTurn::is_in_step() {
    out_.read_available();
    err_.read_available();
    if (spoke_early_) {
        log_.add(LogLevel::warning, "the program spoke when it had no job: another takes its place");
    }
    return !spoke_early_ && !is_ending_;
}

void StreamTurn::watch_end() {
    ended_.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](error_code error) {
        if (error || self->over_) return;
        // Asio may report the readiness of a closed descriptor that had the same number.
        if (!self->program_->started.process.has_ended()) {
            self->watch_end();
            return;
        }
        self->has_ended_ = true;
        self->changed_.cancel();
    });
}

void StreamTurn::watch_deadline() {
    const auto deadline = context_.deadline();
    if (!deadline) return;
    ending_.timeout = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(*deadline - begin_));
    timer_.expires_at(*deadline);
    timer_.async_wait([self = shared_from_this()](error_code error) {
        if (!error) self->stop(StopReason::timeout);
    });
}

// Writes what the pipe takes, and the rest when there is room again.
void StreamTurn::send() {
    while (!unsent_.empty()) {
        const int input = input_.is_open() ? input_.native_handle() : program_->input.get();
        const ssize_t written = write_quietly(input, unsent_);
        if (written >= 0) {
            unsent_.remove_prefix(static_cast<std::size_t>(written));
            sent_ += static_cast<std::size_t>(written);
        } else if (errno == EAGAIN) {
            if (!input_.is_open()) input_.assign(program_->input.release());
            input_.async_wait(
                asio::posix::stream_descriptor::wait_write,
                [self = shared_from_this()](error_code error) {
                    if (!error && !self->over_) self->send();
                }
            );
            return;
        } else if (errno != EINTR) {
            hang_up("standard input");
            return;
        }
    }
}

void StreamTurn::take_line(std::string_view line, std::size_t left_out) {
    Message message = read_line(line, left_out, spec_.result_limit, context_.job().id);
    if (auto* log = std::get_if<LogLine>(&message)) {
        log_.add(LogLevel::info, line, left_out);
        if (!log->warning.empty()) log_.add(LogLevel::warning, log->warning);
    } else if (!has_job_) {
        spoke_early_ = true;
    } else if (auto* progress = std::get_if<Progress>(&message)) {
        context_.progress(progress->done, progress->total, std::move(progress->message));
    } else if (auto* success = std::get_if<OnSuccess>(&message)) {
        answer(std::move(success->outcome), success->broken);
    } else if (auto* verdict = std::get_if<Verdict>(&message)) {
        answer(std::move(verdict->outcome), verdict->broken);
    } else {
        answer(Complete{}, false);
    }
}

void StreamTurn::answer(Outcome outcome, bool is_broken) {
    if (ending_.answer && is_ending_) return;  // it errs already: nothing that follows is worse
    ending_.answered_twice = ending_.answer.has_value();
    if (!ending_.answer) ending_.answer = std::move(outcome);
    // Whoever errs in what it says may be out of step: its next answer must not be taken for another job's.
    if (is_broken || ending_.answered_twice) end_program();
    changed_.cancel();
}

void StreamTurn::hang_up(std::string stream) {
    if (over_) return;
    if (ending_.hung_up.empty()) ending_.hung_up = std::move(stream);
    end_program();
}

void StreamTurn::stop(StopReason reason) {
    if (over_ || ending_.stopped != StopReason::none) return;
    ending_.stopped = reason;
    end_program();
}

void StreamTurn::end_program() {
    if (std::exchange(is_ending_, true)) return;
    program_->started.process.signal(SIGTERM);
    timer_.expires_after(spec_.kill_after);
    timer_.async_wait([self = shared_from_this()](error_code error) {
        if (!error && !self->over_) self->program_->started.process.signal(SIGKILL);
    });
}

StreamTurn::End StreamTurn::finish() {
    if (has_ended_) ending_.exit = program_->started.process.reap();
    // What stands in the pipes already belongs to this job.
    out_.read_available();
    err_.read_available();
    if (has_ended_) {
        out_.finish_line();
        err_.finish_line();
    }
    over_ = true;
    program_->started.out = out_.stop();
    program_->started.err = err_.stop();
    program_->ended = UniqueFd(ended_.release());
    if (input_.is_open()) program_->input = UniqueFd(input_.release());
    timer_.cancel();
    const bool has_begun = sent_ > unread_bytes(program_->input.get());
    const bool was_fresh = std::exchange(program_->is_fresh, false);
    log_.finish();
    ending_.log_tail = log_.tail();

    End end;
    if (was_fresh) end.start = has_ended_ && !has_begun ? Start::failed : Start::succeeded;
    if (!has_ended_ && !is_ending_) end.program = std::move(program_);
    program_.reset();
    const bool is_for_another = !was_fresh && !has_begun;
    if (is_for_another && has_ended_ && ending_.stopped == StopReason::none && !ending_.answer) return end;
    end.outcome = outcome_of(std::move(ending_));
    return end;
}

}  // namespace jobs

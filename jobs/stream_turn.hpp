#pragma once

// One job's turn with one program of a stream handler: it is sent, its log and its answer are read, and a program that
// must not go on is ended.

#include "jobs/context.hpp"
#include "jobs/line_reader.hpp"
#include "jobs/stream_crew.hpp"
#include "jobs/stream_protocol.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace jobs {

// Everything in here happens on one strand.
class StreamTurn : public std::enable_shared_from_this<StreamTurn> {
public:
    // `begin`: of the attempt.
    StreamTurn(
        const boost::asio::any_io_executor& strand,
        const ExecSpec& spec,
        JobContext& context,
        std::unique_ptr<StreamProgram> program,
        std::chrono::steady_clock::time_point begin
    );

    // Sends the job; returns when it is answered and the program may go on, or when the program has ended.
    boost::asio::awaitable<void> run(std::string_view line);

    void stop(StopReason reason);

    enum class Start { none, failed, succeeded };  // of a program that was started for this job
    struct End {
        std::optional<Outcome> outcome;          // empty: the program did not begin, another shall have the job
        std::unique_ptr<StreamProgram> program;  // empty: it has ended
        Start start = Start::none;
    };
    End finish();

private:
    bool is_over() const { return has_ended_ || (ending_.answer && !is_ending_); }
    void begin();
    bool is_in_step();
    void send();
    void watch_end();
    void watch_deadline();
    void take_line(std::string_view line, std::size_t left_out);
    void answer(Outcome outcome, bool is_broken);
    void hang_up(std::string stream);
    void end_program();

    const std::chrono::steady_clock::time_point begin_;
    const ExecSpec& spec_;
    JobContext& context_;  // touched only before finish() returns
    std::unique_ptr<StreamProgram> program_;
    LineReader out_;
    LineReader err_;
    boost::asio::posix::stream_descriptor ended_;
    boost::asio::posix::stream_descriptor input_;  // the program's, while the job does not fit the pipe
    boost::asio::steady_timer timer_;              // the deadline; once it is being ended, the time to kill
    boost::asio::steady_timer changed_;            // never expires: run() waits on it
    LogCapture log_;
    std::string_view unsent_;
    std::size_t sent_ = 0;
    StreamEnding ending_;
    bool has_job_ = false;      // what it says is about the job
    bool spoke_early_ = false;  // it said something before that
    bool has_ended_ = false;
    bool is_ending_ = false;  // it was told to
    bool over_ = false;
};

}  // namespace jobs

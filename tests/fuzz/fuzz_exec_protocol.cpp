// Whatever a program prints, its lines are read in bounded memory, and what comes of them can be stored: of a program
// that was started for its job, and of one that takes its jobs from a stream.
#include "jobs/exec_output.hpp"
#include "jobs/exec_protocol.hpp"
#include "jobs/stream_protocol.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/outcomes.hpp"

#include <utility>

namespace {

constexpr std::size_t longest_line = 512;
constexpr std::size_t result_limit = 256;
constexpr std::size_t log_limit = 1024;

// What the program has said, as jobs/exec.cpp and jobs/stream_turn.cpp collect it.
struct Said {
    jobs::Ending alone;
    jobs::StreamEnding stream;

    void operator()(const jobs::LogLine& line) const { tests::expect(tests::is_storable(line.warning)); }
    void operator()(const jobs::Progress& progress) const { tests::expect(tests::is_storable(progress.message)); }
    void operator()(const jobs::Done&) { answer(jobs::Complete{}); }
    void operator()(const jobs::OnSuccess& success) {
        alone.on_success = success.outcome;
        answer(success.outcome);
    }
    void operator()(const jobs::Verdict& verdict) {
        alone.verdict = verdict.outcome;
        answer(verdict.outcome);
    }

private:
    void answer(const jobs::Outcome& outcome) {
        tests::expect_storable(outcome, result_limit);
        stream.answered_twice = stream.answer.has_value();
        if (!stream.answer) stream.answer = outcome;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = tests::text_of(data, size);
    std::size_t logged = 0;
    jobs::LogCapture log(log_limit, [&](jobs::LogLevel, std::string_view line) {
        tests::expect(tests::is_storable(line));
        logged += line.size() + 1;
    });
    Said said;
    jobs::LineSplitter splitter(longest_line);
    const auto take = [&](std::string_view line, std::size_t left_out) {
        std::visit(said, jobs::read_line(line, left_out, result_limit, queue::JobId{128}));
        log.add(left_out > 0 ? jobs::LogLevel::warning : jobs::LogLevel::info, line, left_out);
    };
    const std::size_t half = size / 2;  // as two reads from the pipe
    splitter.feed(text.substr(0, half), take);
    splitter.feed(text.substr(half), take);
    splitter.finish(take);
    log.finish();
    tests::expect(logged <= log_limit + 100);  // and the line about what was left out
    said.alone.log_tail = said.stream.log_tail = log.tail();
    said.alone.exit.code = size % 2 == 0 ? 0 : 3;
    const bool answered_once = said.stream.answer && !said.stream.answered_twice;
    const bool completes = answered_once && std::holds_alternative<jobs::Complete>(*said.stream.answer);
    const jobs::Outcome of_stream = jobs::outcome_of(std::move(said.stream));
    tests::expect(std::holds_alternative<jobs::Complete>(of_stream) == completes);
    tests::expect_storable(of_stream, result_limit);
    tests::expect_storable(jobs::outcome_of(std::move(said.alone)), result_limit);
    return 0;
}

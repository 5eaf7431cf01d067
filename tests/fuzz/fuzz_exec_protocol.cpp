// Whatever a program prints, its lines are read in bounded memory, and what comes of them can be stored.
#include "jobs/exec_output.hpp"
#include "jobs/exec_protocol.hpp"
#include "jobs/utf8.hpp"
#include "queue/json_text.hpp"
#include "tests/fuzz/input.hpp"

#include <boost/json/serialize.hpp>

namespace {

constexpr std::size_t longest_line = 512;
constexpr std::size_t result_limit = 256;
constexpr std::size_t log_limit = 1024;

bool is_storable(std::string_view text) {
    std::string valid;
    jobs::append_valid_utf8(valid, text);
    return valid == text;
}

struct CheckOutcome {
    void operator()(const jobs::Complete& complete) const {
        if (!complete.result) return;
        const std::string result = boost::json::serialize(*complete.result);
        tests::expect(result.size() <= result_limit);
        tests::expect(!queue::find_json_problem(result));
    }
    void operator()(const jobs::Retry& retry) const { tests::expect(is_storable(retry.error)); }
    void operator()(const jobs::Snooze& snooze) const { tests::expect(is_storable(snooze.reason)); }
    void operator()(const jobs::Discard& discard) const { tests::expect(is_storable(discard.error)); }
    void operator()(const jobs::Cancel& cancel) const { tests::expect(is_storable(cancel.reason)); }
};

struct CheckMessage {
    void operator()(const jobs::LogLine& line) const { tests::expect(is_storable(line.warning)); }
    void operator()(const jobs::Progress& progress) const { tests::expect(is_storable(progress.message)); }
    void operator()(const jobs::Done&) const {}
    void operator()(const jobs::OnSuccess& success) const { std::visit(CheckOutcome{}, success.outcome); }
    void operator()(const jobs::Verdict& verdict) const { std::visit(CheckOutcome{}, verdict.outcome); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = tests::text_of(data, size);
    std::size_t logged = 0;
    jobs::LogCapture log(log_limit, [&](jobs::LogLevel, std::string_view line) {
        tests::expect(is_storable(line));
        logged += line.size() + 1;
    });
    jobs::LineSplitter splitter(longest_line);
    const auto take = [&](std::string_view line, std::size_t left_out) {
        std::visit(CheckMessage{}, jobs::read_line(line, left_out, result_limit, queue::JobId{128}));
        log.add(left_out > 0 ? jobs::LogLevel::warning : jobs::LogLevel::info, line, left_out);
    };
    const std::size_t half = size / 2;  // as two reads from the pipe
    splitter.feed(text.substr(0, half), take);
    splitter.feed(text.substr(half), take);
    splitter.finish(take);
    tests::expect(is_storable(log.tail()));
    log.finish();
    tests::expect(logged <= log_limit + 100);  // and the line about what was left out
    return 0;
}

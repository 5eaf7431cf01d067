// Whatever a server answers to a job that was sent to it, the header is read, the body is kept in bounded memory, and
// what comes of it can be stored. Which bytes are header lines and which the body, libcurl says.
#include "jobs/http_answer.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/outcomes.hpp"

#include <algorithm>
#include <chrono>

namespace {

constexpr std::size_t result_limit = 256;
constexpr std::time_t now = 1'000'000'000;
constexpr auto longest_snooze = std::chrono::hours(24 * 366);
constexpr std::size_t longest_error = 8192;  // a body's start in replacement characters, and what stands before it

struct Check {
    int status;
    void operator()(const jobs::Complete&) const { tests::expect(status / 100 == 2); }
    void operator()(const jobs::Retry& retry) const {
        tests::expect(status != 410 && retry.error.size() <= longest_error);
    }
    void operator()(const jobs::Snooze& snooze) const {
        tests::expect(status == 429 || status == 503);
        tests::expect(snooze.after >= std::chrono::seconds(0) && snooze.after <= longest_snooze);
    }
    void operator()(const jobs::Discard& discard) const {
        tests::expect(status == 410 || status / 100 == 2);
        tests::expect(discard.error.size() <= longest_error);
    }
    void operator()(const jobs::Cancel&) const { tests::expect(false); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text = tests::text_of(data, size);
    jobs::HttpAnswer answer;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end);
        if (line == "\r\n" || line == "\n") break;
        jobs::read_header_line(line, answer);
    }
    const std::size_t limit = jobs::body_limit(answer.status, result_limit);
    answer.body = text.substr(0, limit);
    answer.is_cut = text.size() > limit;
    const jobs::Outcome outcome = jobs::outcome_of(answer, result_limit, now);
    std::visit(Check{answer.status}, outcome);
    tests::expect_storable(outcome, result_limit);
    return 0;
}

// Whatever a server answers to a job that was sent to it, in two pieces, the body is kept in bounded memory, and what
// comes of it can be stored.
#include "jobs/http_reader.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/outcomes.hpp"

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
    using State = jobs::HttpReader::State;
    const std::string_view text = tests::text_of(data, size);
    const std::size_t cut = text.empty() ? 0 : data[size - 1] % text.size();
    jobs::HttpReader reader(result_limit);
    State state = reader.put(text.substr(0, cut));
    if (state == State::more) state = reader.put(text.substr(cut));
    if (state == State::more) state = reader.put_end();
    if (state == State::failed) {
        tests::expect(!reader.error().empty());
        return 0;
    }
    const jobs::HttpAnswer answer = reader.take_answer();
    tests::expect(answer.body.size() <= jobs::body_limit(answer.status, result_limit));
    const jobs::Outcome outcome = jobs::outcome_of(answer, result_limit, now);
    std::visit(Check{answer.status}, outcome);
    tests::expect_storable(outcome, result_limit);
    return 0;
}

// Task progress on its way to the database: at most one write a second, and the last report is always among them.

#include "worker/progress.hpp"

#include "tests/support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

using namespace std::chrono_literals;
using worker::ProgressBuffer;

namespace {

constexpr ProgressBuffer::Time start{};

queue::TaskProgress report_of(std::int64_t job, std::int64_t done) {
    queue::TaskProgress progress;
    progress.job = queue::JobId{job};
    progress.done = done;
    return progress;
}

// What is written then: units done by job.
std::map<std::int64_t, std::int64_t> taken(ProgressBuffer& buffer, ProgressBuffer::Time now) {
    std::map<std::int64_t, std::int64_t> done;
    for (const queue::TaskProgress& one : buffer.take(now)) done[static_cast<std::int64_t>(one.job)] = one.done;
    return done;
}

}  // namespace

TEST_CASE("ProgressBuffer writes the first report at once, and then once a second the last", "[worker][progress]") {
    ProgressBuffer buffer;
    CHECK_FALSE(buffer.due());
    buffer.report(report_of(1, 1));
    CHECK(buffer.due() <= start);
    CHECK(taken(buffer, start + 5s) == std::map<std::int64_t, std::int64_t>{{1, 1}});
    CHECK_FALSE(buffer.due());
    for (int done = 2; done <= 100; ++done) buffer.report(report_of(1, done));
    buffer.report(report_of(2, 7));
    CHECK(buffer.due() == start + 6s);
    CHECK(taken(buffer, start + 6s) == std::map<std::int64_t, std::int64_t>{{1, 100}, {2, 7}});
    CHECK_FALSE(buffer.due());
}

TEST_CASE("ProgressBuffer forgets a job that has ended, and no other", "[worker][progress]") {
    ProgressBuffer buffer;
    buffer.report(report_of(1, 1));
    buffer.report(report_of(2, 2));
    buffer.forget(queue::JobId{1});
    CHECK(taken(buffer, start) == std::map<std::int64_t, std::int64_t>{{2, 2}});
    buffer.report(report_of(2, 3));
    buffer.clear();
    CHECK_FALSE(buffer.due());
}

TEST_CASE("ProgressBuffer writes what could not be written again, unless there is news", "[worker][progress]") {
    ProgressBuffer buffer;
    buffer.report(report_of(1, 1));
    buffer.report(report_of(2, 1));
    const auto lost = buffer.take(start);
    buffer.report(report_of(1, 2));
    for (const queue::TaskProgress& one : lost) buffer.put_back(one);
    CHECK(buffer.due() == start + 1s);
    CHECK(taken(buffer, start + 1s) == std::map<std::int64_t, std::int64_t>{{1, 2}, {2, 1}});
}

#pragma once

// A batch as a line with a bar, and as JSON. Pure.

#include "queue/batches.hpp"
#include "worker/cli/json.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace worker::cli {

// Jobs that have ended, in whatever way.
std::int64_t ended_jobs(const queue::BatchStatus& batch);
// Jobs that did not complete: discarded or cancelled.
std::int64_t failed_jobs(const queue::BatchStatus& batch);

// name  [####x-----] 512/1000 51 %  340/s  ETA 2 s  3 failed
// as wide as `columns` at most: the bar shrinks first, then the name. In colours: what failed is red, in the bar and as
// a number; what completed turns green when the batch has finished.
std::string batch_line(const queue::BatchStatus& batch, int columns, bool colours = false);

// 3.4/s, 340/s; empty below one in a thousand seconds.
std::string show_rate(double jobs_per_second);

// How fast a batch that is looked at several times a second goes: over the last ten seconds or so, exact and at once,
// where the database's own rate lags by a fold.
class RateMeter {
public:
    using Time = std::chrono::steady_clock::time_point;

    // Puts the measured rate, and the time left by it, into the status. Leaves it as it is until there is something to
    // measure.
    void measure(queue::BatchStatus& batch, Time now);

private:
    struct Sample {
        Time at;
        std::int64_t ended;
    };
    std::deque<Sample> samples_;
};

// Name, or the id of a batch without a name.
std::string batch_name(const queue::BatchStatus& batch);

// The fields that every command writes of a batch; see help_steer.hpp.
JsonObject batch_json(const queue::BatchStatus& batch);

// Is this the text of a UUID: 36 characters, with dashes?
bool is_uuid(std::string_view text);

}  // namespace worker::cli

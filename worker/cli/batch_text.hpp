#pragma once

// A batch as a line with a bar, and as JSON. Pure.

#include "queue/batches.hpp"
#include "worker/cli/json.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace worker::cli {

// Jobs that have ended, in whatever way.
std::int64_t ended_jobs(const queue::BatchStatus& batch);
// Jobs that did not complete: discarded or cancelled.
std::int64_t failed_jobs(const queue::BatchStatus& batch);

// name  [#####-----] 512/1000 51 %  340/s  ETA 2 s  3 failed
// as wide as `columns` at most: the bar shrinks first, then the name.
std::string batch_line(const queue::BatchStatus& batch, int columns);

// 3.4/s, 340/s; empty below one in a thousand seconds.
std::string show_rate(double jobs_per_second);

// Name, or the id of a batch without a name.
std::string batch_name(const queue::BatchStatus& batch);

// The fields that every command writes of a batch; see help.hpp.
JsonObject batch_json(const queue::BatchStatus& batch);

// Is this the text of a UUID: 36 characters, with dashes?
bool is_uuid(std::string_view text);

}  // namespace worker::cli

#pragma once

// Where the jobs of one enqueue call come from: a file of JSON lines, or paths. Bad items are collected, so that a user
// sees them all at once.

#include "queue/bulk_enqueue.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace worker::cli {

struct SourceCounts {
    std::int64_t jobs = 0;     // given out
    std::int64_t skipped = 0;  // bad ones left out
    std::int64_t bytes = 0;    // read
    std::int64_t size = 0;     // of the whole; 0: not known
};

struct JobSource {
    // The args of the next job. Once an item was bad, and bad ones are not to be skipped, reads the rest to its end and
    // throws Failure (usage) that names the first 20 of them; so nothing of it is enqueued.
    queue::NextArgs next;
    std::function<SourceCounts()> counts;
    std::function<std::string()> skipped;  // the bad items that were left out, for people; empty: none
};

struct SourceRequest {
    std::string file{};                // NDJSON; - is standard input
    std::vector<std::string> paths{};  // or: these
    std::string paths_from{};          // or: a file with a path a line
    bool skip_invalid = false;
    std::size_t longest = 0;  // bytes of one job's args
};

// Throws: Failure (usage) when a file cannot be read.
JobSource open_source(const SourceRequest& request);

}  // namespace worker::cli

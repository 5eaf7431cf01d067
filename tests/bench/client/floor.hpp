#pragma once

// The floor: the least that a queue of rows in PostgreSQL can do, without anything around it.
// tests/bench/harness/queue.py makes its table.

#include "tests/bench/client/postgres.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace bench {

// Where a claim looks from: behind the last row claimed, for which rows must be committed in the order of their ids;
// or the start of the line, as a queue does that has SKIP LOCKED alone.
enum class LookFrom { cursor, start };

// Claims rows in the order of their ids.
class FloorConsumer {
public:
    FloorConsumer(const std::string& url, int rows, LookFrom from = LookFrom::cursor);

    // Deletes what the round before claimed and claims again, in one round trip and one transaction. Returns the jobs
    // claimed.
    std::int64_t round();

    // Rounds until everything is in and nothing is left; done(jobs) after each.
    void consume(const std::atomic<bool>& all_in, const std::function<void(std::int64_t)>& done);

private:
    Connection connection_;
    std::string limit_;
    LookFrom from_;
    std::vector<std::int64_t> claimed_;
    std::int64_t cursor_ = 0;
};

class FloorProducer {
public:
    FloorProducer(const std::string& url, int bundle);

    // One transaction each: rows of `bundle` jobs by COPY, or by one INSERT.
    void copy(std::span<const std::string> args);
    void insert(std::span<const std::string> args);

private:
    std::span<const std::string> row(std::span<const std::string> args, std::size_t at) const;

    Connection connection_;
    std::size_t bundle_;
    std::int64_t last_id_ = 0;
    std::string lines_;
};

}  // namespace bench

#pragma once

// Strong ids of the queue's rows. They convert to database parameters by themselves (db/parameters.hpp).

#include <cstdint>
#include <string>

namespace queue {

enum class JobId : std::int64_t {};        // base + n, for ever
enum class RowId : std::int64_t {};        // a row of bundles: base + its lowest job when born, or base + 64 + n
enum class WorkerId : std::int64_t {};     // from a sequence, never used again
enum class ClaimNumber : std::int64_t {};  // a counter of the worker process: (worker, claim) is unique for ever
enum class KindId : std::int32_t {};
enum class QueueId : std::int16_t {};
using BatchId = std::string;  // a UUID, 36 characters

}  // namespace queue

#pragma once

#include <atomic>
#include <memory>

namespace db {

// How a transaction ended. unknown: it has not yet, or nobody here was told.
enum class TransactionEnd { unknown, committed, rolled_back };

// Readable from any thread, also when the connection is gone.
using TransactionWatch = std::shared_ptr<const std::atomic<TransactionEnd>>;

}  // namespace db

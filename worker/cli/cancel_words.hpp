#pragma once

// What a cancel says, as `job cancel` and `batch cancel` do.

#include "queue/cancel.hpp"

#include <cstdint>
#include <string>

namespace worker::cli {

// "cancel 3 jobs and ask 1 running job to stop", or the half of it that there is
std::string words_to_cancel(std::int64_t cancelled, std::int64_t stopping);
// "cancelled 3 jobs and asked 1 running job to stop"
std::string words_of_cancelled(std::int64_t cancelled, std::int64_t stopping);

// Asks whether that may be, and says so when it may not; `command`: that which would do it; `where`: " in the batch b",
// or nothing.
// Throws: as is_confirmed.
bool may_cancel(const queue::Cancellable& found, const std::string& command, const std::string& where = {});

}  // namespace worker::cli

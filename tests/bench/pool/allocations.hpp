#pragma once

// Counts the calls of operator new in this program; libpq's own buffers are not among them.

#include <cstdint>

namespace bench {

std::uint64_t allocations_so_far();

}  // namespace bench

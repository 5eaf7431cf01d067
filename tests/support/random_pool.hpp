#pragma once

// The pool's state machine under random events, against a model that keeps the promises and nothing else.

#include <cstdint>

namespace tests {

// One sequence: a pool of settings drawn from the seed, under so many events and the time between them, then its end.
// Throws std::logic_error: the promise that was broken.
void run_random_pool(std::uint64_t seed, int events);

}  // namespace tests

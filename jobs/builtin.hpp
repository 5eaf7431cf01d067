#pragma once

// The kinds that every worker knows.

#include "jobs/handler.hpp"

namespace jobs {

// Adds `echo` (jobs/examples/echo.hpp) and `noop`, which completes at once and measures what a job costs besides its
// work.
// Throws: std::invalid_argument when one of them is there already.
void add_builtin_kinds(Registry& registry);

}  // namespace jobs

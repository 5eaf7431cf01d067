#pragma once

// The version of this program, as CMake knows it.

#include <string_view>

namespace worker {

inline constexpr std::string_view version = TASK_WORKER_VERSION;

}  // namespace worker

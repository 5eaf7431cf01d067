#pragma once

// Numbers of things in words. Pure.

#include <cstdint>
#include <string>
#include <string_view>

namespace worker::cli {

// "1 job", "12 jobs".
std::string count_of(std::int64_t number, std::string_view what);

}  // namespace worker::cli

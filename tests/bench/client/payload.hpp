#pragma once

#include <cstdint>
#include <string>

namespace bench {

// A JSON object of 100 bytes: a number, and random text for the rest, so that compression gains nothing.
std::string random_args(std::uint64_t number);

}  // namespace bench

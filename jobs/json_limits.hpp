#pragma once

// What JSON from outside may hold so that it can be kept as a result. Pure.

#include <boost/json/value.hpp>

#include <cstddef>

namespace jobs {

inline constexpr std::size_t deepest_result = 128;

// Whether a number in it is too large for a double: read as infinity, it could not be written as JSON again.
bool overflows(const boost::json::value& value);

}  // namespace jobs

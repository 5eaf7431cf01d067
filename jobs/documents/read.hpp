#pragma once

// The whole of a file, unpacked where it is packed with gzip.

#include "jobs/documents/open.hpp"

#include <boost/system/result.hpp>

#include <cstddef>
#include <string>

namespace jobs::documents {

struct Whole {
    std::string bytes;
};

// What it holds, at most `limit` bytes, unpacked: more is a refusal, found without reading or unpacking much more. So
// is gzip that is damaged or cut off. What follows the last member of a gzip file is passed over, as gzip does. Throws:
// std::system_error when reading fails.
boost::system::result<Whole, Refusal> read_whole(const UniqueFd& file, bool is_packed, std::size_t limit);

}  // namespace jobs::documents

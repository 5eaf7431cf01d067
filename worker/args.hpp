#pragma once

// The args of a claimed row, parsed once. Pure.

#include "queue/bundle.hpp"
#include "queue/claim.hpp"

#include <boost/json/array.hpp>

namespace worker {

// The row's args array. PostgreSQL keeps more JSON than Boost.JSON reads (deeper nesting, lone surrogates): jobs of
// `pending` whose element cannot be read, or is missing, are set in `broken`; their neighbours are not.
boost::json::array read_args(const queue::Bundle& bundle, queue::Mask& broken);

}  // namespace worker

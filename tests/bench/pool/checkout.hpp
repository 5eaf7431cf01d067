#pragma once

// One checkout and return with nobody else about.

#include "db/pool.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <vector>

namespace bench {

struct Checkout {
    std::vector<double> microseconds;  // each the median of many
    std::uint64_t allocations = 0;
    std::uint64_t count = 0;
};

boost::asio::awaitable<void> measure_checkout(db::Pool& pool, Checkout& result);

}  // namespace bench

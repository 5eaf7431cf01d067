#pragma once

// Statements of one session, one by one against 64 to a packet.

#include "db/settings.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>

namespace bench {

struct Counted {
    std::uint64_t statements = 0;
    double seconds = 0;
    double rate() const { return static_cast<double>(statements) / seconds; }
};

struct Speedup {
    Counted single;
    Counted pipelined;
    double ratio() const { return pipelined.rate() / single.rate(); }
};

// Both take turns, ten times for `seconds` each.
Speedup measure_pipeline(boost::asio::io_context& context, const db::ConnectionSettings& settings, double seconds);

}  // namespace bench

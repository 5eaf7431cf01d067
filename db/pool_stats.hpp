#pragma once

// What the pool looks like at one instant, in SQLAlchemy's words, and what happened to it so far.

#include <array>
#include <cstdint>
#include <string_view>

namespace db {

// Why a connection was closed.
enum class CloseReason { overflow, recycled, invalid, dirty, shutdown };
inline constexpr std::array<std::string_view, 5> close_reason_names{
    "overflow", "recycled", "invalid", "dirty", "shutdown"
};

struct PoolStats {
    int size = 0;         // pool_size: connections kept
    int checked_in = 0;   // open and free
    int checked_out = 0;  // lent, or being opened or reset; checked_in + checked_out = open
    int overflow = 0;     // open beyond pool_size, never negative (SQLAlchemy starts at -pool_size)
    int waiting = 0;      // callers in line for a session
    std::uint64_t checkouts = 0;
    std::uint64_t timeouts = 0;  // callers that waited longer than pool_timeout
    std::uint64_t invalid = 0;   // connections found dead
    std::uint64_t opened = 0;
    std::array<std::uint64_t, close_reason_names.size()> closed{};  // by CloseReason
};

}  // namespace db

#pragma once

// What the pool looks like at one instant, in SQLAlchemy's words, and what happened to it so far.

#include "db/histogram.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace db {

// Why a connection was closed.
enum class CloseReason { overflow, recycled, invalid, dirty, shutdown };
inline constexpr std::array<std::string_view, 5> close_reason_names{
    "overflow", "recycled", "invalid", "dirty", "shutdown"
};

// Bounds of the histograms.
inline constexpr std::array<std::chrono::nanoseconds, 12> pool_durations{
    std::chrono::microseconds(10),
    std::chrono::microseconds(100),
    std::chrono::milliseconds(1),
    std::chrono::milliseconds(5),
    std::chrono::milliseconds(10),
    std::chrono::milliseconds(50),
    std::chrono::milliseconds(100),
    std::chrono::milliseconds(500),
    std::chrono::seconds(1),
    std::chrono::seconds(5),
    std::chrono::seconds(10),
    std::chrono::seconds(30),
};

struct PoolStats {
    int size = 0;         // pool_size: connections kept
    int checked_in = 0;   // open and free
    int checked_out = 0;  // lent, or being opened, reset or cancelled; checked_in + checked_out = open
    int overflow = 0;     // open beyond pool_size, never negative (SQLAlchemy starts at -pool_size)
    int waiting = 0;      // callers in line for a session
    std::uint64_t checkouts = 0;
    std::uint64_t timeouts = 0;  // callers that waited longer than pool_timeout
    std::uint64_t invalid = 0;   // connections found dead
    std::uint64_t opened = 0;
    std::uint64_t connect_failures = 0;                             // connections that could not be opened
    std::array<std::uint64_t, close_reason_names.size()> closed{};  // by CloseReason
    Histogram<pool_durations> waits{};                              // of each checkout: how long it waited
    Histogram<pool_durations> holds{};  // of each session that came back: how long it was lent
};

}  // namespace db

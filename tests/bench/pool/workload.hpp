#pragma once

// Statements that coroutines run in turn: 64 that share a pool of 8 connections, each statement with a checkout of its
// own; or 8 with a connection each and nothing else. Both run the same statement by the same db::Session, deadline
// and parsing of the row included: what differs is the pool.

#include "db/pool.hpp"
#include "tests/bench/pool/run.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace bench {

db::PoolSettings pool_settings(bool pre_ping);  // of 8 connections

class Workload {
public:
    static Workload bare(boost::asio::io_context& context, const db::ConnectionSettings& settings);
    static Workload shared(boost::asio::io_context& context, const db::ConnectionSettings& settings, bool pre_ping);

    void slice(double seconds);
    void forget();  // what was counted so far
    double rate() const { return static_cast<double>(statements_) / seconds_; }
    double cpu_microseconds() const {
        return cpu_seconds_ * 1e6 / static_cast<double>(statements_);
    }  // of this process

private:
    explicit Workload(boost::asio::io_context& context) : context_(context) {}

    boost::asio::awaitable<void> share();
    boost::asio::awaitable<void> own(db::Session& session);

    boost::asio::io_context& context_;
    std::unique_ptr<db::Pool> pool_;
    std::vector<db::Session> sessions_;
    Clock::time_point end_;
    std::uint64_t statements_ = 0;
    double seconds_ = 0;
    double cpu_seconds_ = 0;
};

}  // namespace bench

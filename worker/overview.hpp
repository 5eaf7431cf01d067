#pragma once

// The overview: what the whole fleet does, for people. Read from the database only while somebody asks, at most once a
// second, or, where that is dear, in a fiftieth of the time.

#include "db/pool.hpp"
#include "queue/batches.hpp"
#include "queue/depth.hpp"
#include "queue/failures.hpp"
#include "queue/names.hpp"
#include "queue/workers.hpp"
#include "worker/wakeup.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace worker {

struct Fleet {
    std::vector<queue::Queue> queues{};
    std::vector<queue::QueueDepth> depths{};    // of the same queues
    std::vector<queue::BatchStatus> batches{};  // unfinished, and the last that finished
    std::vector<queue::Worker> workers{};       // living, or gone within the hour
    std::vector<queue::Failure> failures{};     // the latest
};

class Overview {
public:
    using Clock = std::chrono::steady_clock;

    Overview(boost::asio::any_io_executor executor, db::Pool& pool) : pool_(pool), wakeup_(std::move(executor)) {}

    struct Seen {
        std::shared_ptr<const Fleet> fleet{};  // as read last; empty: not yet
        std::chrono::nanoseconds age{};
        std::string trouble{};  // why it could not be read anew
    };
    // What is known; asks for it to be read anew. From any thread.
    Seen ask();

    // Until stop(). Never throws.
    boost::asio::awaitable<void> run();
    void stop();

private:
    boost::asio::awaitable<void> read();
    bool take_request();
    void set_trouble(std::string trouble);

    db::Pool& pool_;
    Wakeup wakeup_;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;  // guards all below
    bool asked_ = false;
    std::shared_ptr<const Fleet> fleet_;
    Clock::time_point read_at_{};
    std::string trouble_;
};

}  // namespace worker

#pragma once

// An event that a loop waits for, at most until a time: a notification is never lost, and many are one.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>

namespace worker {

class Wakeup {
public:
    using Time = std::chrono::steady_clock::time_point;

    explicit Wakeup(boost::asio::any_io_executor executor);
    ~Wakeup();
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;

    // Ends the wait in progress, or the next one at once. Thread: any.
    void notify();
    // Until notify() or the time, whichever comes first. One waiter at a time.
    boost::asio::awaitable<void> wait_until(std::optional<Time> time);
    boost::asio::awaitable<void> wait_for(std::chrono::steady_clock::duration duration);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace worker

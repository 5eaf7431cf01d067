#pragma once

// Waiting for a socket that libpq owns, under a deadline.
//
// The deadline costs nothing on the fast path: arming it stores a number, and one timer is left running that looks at
// the number when it fires (the lazy timer of many event loops).

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>

namespace db {

class SocketWait {
public:
    enum class Event { readable, writable, either };

    explicit SocketWait(const boost::asio::any_io_executor& executor);
    ~SocketWait();  // stops watching; the descriptor itself is its owner's to close
    SocketWait(const SocketWait&) = delete;
    SocketWait& operator=(const SocketWait&) = delete;

    // Watches a duplicate of this descriptor from now on. libpq may change its socket, even to one of the same number,
    // between two polls of a connect: assign before each.
    void assign(int descriptor);
    void release();

    // Until when the next waits may last. Without a deadline they last for ever.
    void arm(std::chrono::steady_clock::time_point deadline);
    void disarm();

    bool has_expired() const;  // the deadline passed during the last wait

    // Waits for the event. Throws: db::Error (deadline) when armed and late; (closed) after interrupt().
    // Cancellation: ends the wait with (closed).
    boost::asio::awaitable<void> wait(Event event);

    // Ends a wait in progress and every later one with db::Error (closed). Thread: any.
    void interrupt();

    boost::asio::any_io_executor executor() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace db

#pragma once

// A TCP proxy in this process that misbehaves on command: what networks and machines do to connections. Its door is a
// port of 127.0.0.1 that stays open while the server behind it goes away and comes back.
//
// Faults meet connections of every kind, those that ask the server to cancel a statement too. What it cannot do is
// lose packets: the kernel acknowledges what the proxy does not read.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace tests {

class FaultProxy {
public:
    // `target` is the path of a Unix socket, or ADDRESS:PORT.
    explicit FaultProxy(const std::string& target);
    ~FaultProxy();
    FaultProxy(const FaultProxy&) = delete;
    FaultProxy& operator=(const FaultProxy&) = delete;

    int port() const;
    // A libpq URI of a database behind it, for the user postgres.
    std::string url(std::string_view database) const;

    // Each of these is in force when it returns.
    void pass();                                     // ends the three below; what they held back goes on
    void delay(std::chrono::milliseconds each_way);  // of every piece of data
    void throttle(int bytes_per_second);             // of each connection and way
    void black_hole();  // no data passes, no end of a connection either; new connections are accepted and hear nothing
    void half_open();   // the same for ever, of the connections open now; new ones work
    void cut();         // resets the connections open now (RST); new ones work

    int accepted() const;  // connections since the beginning
    int open() const;      // connections now, half-open ones included
    // How often clients sent something, since the beginning: once a round trip, where each waits for its answer.
    int packets() const;

private:
    struct Core;
    std::unique_ptr<Core> core_;
};

}  // namespace tests

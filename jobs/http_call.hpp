#pragma once

// What a request of jobs/http_client.hpp waits for, in the line for a connection and at its socket, and what ends the
// wait: its turn, its deadline, its token.

#include "jobs/http_connection.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace jobs {

// Thread: any; one coroutine waits. It goes on where its executor says.
class HttpCall {
public:
    using Descriptor = boost::asio::posix::stream_descriptor;
    enum class End { none, late, stopped };

    explicit HttpCall(const boost::asio::any_io_executor& executor);

    // Ends every wait, those to come too. The first end stays.
    void end(End why);
    End ended() const;

    // Until its turn has come, or the call has ended.
    boost::asio::awaitable<void> wait_in_line();
    // Until the socket is ready, or the call has ended.
    boost::asio::awaitable<void> wait_for(Descriptor& socket, Descriptor::wait_type what);

    // For the line, under its mutex: its turn has come, with one of these.
    std::unique_ptr<HttpConnection> connection;
    std::optional<std::string> error;
    void take_turn();
    // To stand in a line again.
    void renew_turn();

private:
    template <class Start>
    boost::asio::awaitable<void> wait(bool for_turn, Start start);

    mutable std::mutex mutex_;  // guards all below
    boost::asio::steady_timer timer_;
    Descriptor* socket_ = nullptr;
    bool has_turn_ = false;
    End end_ = End::none;
};

}  // namespace jobs

#pragma once

// A request to the server to stop what a connection is doing, and the close of that connection behind it: a pooler
// forgets a client that has gone, and with it the request that is still on its way.
//
// Thread: any.

#include <chrono>
#include <memory>
#include <mutex>

struct pg_cancel;
struct pg_conn;

namespace db {

class Cancel : public std::enable_shared_from_this<Cancel> {
public:
    struct Deleter {
        void operator()(pg_cancel* request) const;
        void operator()(pg_conn* connection) const;
    };

    // Sends the request; blocks nobody. Null when there is nothing to send it to, or too many are on their way.
    static std::shared_ptr<Cancel> send(pg_conn* connection);
    explicit Cancel(pg_cancel* request);

    // Whether the request was answered, or has had its time.
    bool has_ended() const;
    // Closes the connection as soon as the request was answered, or has had its time.
    void close_after(std::unique_ptr<pg_conn, Deleter> connection);

private:
    void request();
    void end();

    const std::unique_ptr<pg_cancel, Deleter> request_;
    const std::chrono::steady_clock::time_point until_;
    mutable std::mutex mutex_;  // guards all below
    std::unique_ptr<pg_conn, Deleter> closing_;
    bool ended_ = false;
};

}  // namespace db

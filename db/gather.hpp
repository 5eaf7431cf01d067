#pragma once

// The machinery behind db::pipelined: statements of several coroutines collected into one packet.
//
// The coroutines run on an inline executor: started, they run at once up to their statement and stop there; after the
// whole answer has arrived they are resumed one by one, on the thread and in the place of their caller. So the session
// is still used by one coroutine at a time.

#include "db/connection.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace db {

class Connection::Gather {
public:
    explicit Gather(Connection& connection);
    ~Gather();
    Gather(const Gather&) = delete;
    Gather& operator=(const Gather&) = delete;

    // Starts a function; its result or failure is there after finish().
    template <class T>
    void start(boost::asio::awaitable<T> function, std::optional<T>& result) {
        ++running_;
        boost::asio::co_spawn(executor_, std::move(function), [this, &result](std::exception_ptr error, T value) {
            end(error);
            if (!error) result.emplace(std::move(value));
        });
    }
    void start(boost::asio::awaitable<void> function, std::optional<std::monostate>& result) {
        ++running_;
        boost::asio::co_spawn(executor_, std::move(function), [this, &result](std::exception_ptr error) {
            end(error);
            if (!error) result.emplace();
        });
    }

    // Called by a function's Session: queues its statement and waits for the packet's answer.
    boost::asio::awaitable<Rows> run(const Statement& statement, const Parameters& parameters);

    // One round trip, then every function to its end. Throws the first failure.
    boost::asio::awaitable<void> finish();

private:
    void end(const std::exception_ptr& error);

    Connection& connection_;
    boost::asio::any_io_executor executor_;
    std::vector<boost::asio::any_completion_handler<void()>> waiting_;
    std::vector<Rows> answers_;
    std::exception_ptr failure_;
    int running_ = 0;
    bool collecting_ = true;
};

}  // namespace db

#pragma once

// A session: a connection on loan, perhaps inside a transaction. Every function that touches the database takes one
// as its first parameter, named `session`; its caller owns the transaction.
//
// Thread: a session is used by one coroutine at a time. It may move between threads, never be shared.

#include "db/parameters.hpp"
#include "db/rows.hpp"
#include "db/statement.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace db {

class Connection;
class PoolCore;

class Session {
public:
    // A session on a connection of its own, outside any pool (control thread, migrations). The destructor closes it.
    explicit Session(std::unique_ptr<Connection> connection);
    // A session lent by a pool from one of its slots: the destructor hands the connection back.
    Session(std::unique_ptr<Connection> connection, std::shared_ptr<PoolCore> pool, std::uint32_t slot);
    ~Session();
    Session(Session&&) noexcept;
    Session& operator=(Session&&) noexcept;

    // Runs one statement and returns its rows. Parameters: see db/parameters.hpp.
    // Inside db::pipelined the statement travels with its neighbours'.
    //
    // Transaction: the caller's; without one the statement is its own.
    // Throws:      db::Error. After a server error inside a transaction only rollback is possible.
    template <class... T>
    boost::asio::awaitable<Rows> execute(const Statement& statement, const T&... values) {
        return run(statement, Parameters(values...));
    }
    boost::asio::awaitable<Rows> run(const Statement& statement, Parameters parameters);

    // Runs a text of several statements without parameters (migrations). Not inside db::pipelined.
    // `timeout`: how long its answer may take; zero: longest_call. The server's own limit is the connection's.
    boost::asio::awaitable<void> run_script(std::string_view sql, std::chrono::milliseconds timeout);

    // COPY ... FROM STDIN: `fill` appends the next piece of the data (text or binary, as the statement says) to the
    // buffer and returns false when nothing is left. Constant memory: pieces are flushed as they come. It may take as
    // long as it goes on: statement_timeout is for each piece.
    // Returns the number of rows. Throwing from `fill` aborts the copy and rethrows.
    using Fill = std::function<bool(std::string& buffer)>;
    boost::asio::awaitable<std::int64_t> copy_in(const Statement& statement, Fill fill);

    Connection& connection() { return *connection_; }

private:
    void give_back();

    std::unique_ptr<Connection> connection_;
    std::shared_ptr<PoolCore> pool_;  // null: the connection is the session's own
    std::uint32_t slot_ = 0;
};

}  // namespace db

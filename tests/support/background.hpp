#pragma once

// A second session at work while the test goes on: for what happens when two transactions meet.

#include "db/session.hpp"
#include "tests/support/database.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/io_context.hpp>

#include <future>
#include <stdexcept>
#include <utility>

namespace tests {

// Runs body(session), an awaitable, on a session and a thread of its own. The future has what it returned or threw.
// No assertions in the body: Catch2's are for one thread.
template <class Body>
auto in_background(const TestDatabase& database, Body body) {
    return std::async(std::launch::async, [&database, body = std::move(body)]() mutable {
        boost::asio::io_context context;
        db::Session session = database.session(context);
        return run(context, [&] { return body(session); });
    });
}

// Returns as soon as some session of the database waits for a lock.
inline void await_blocked(const TestDatabase& database) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (database.value(
               "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
           ) == "0") {
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("nobody waits for a lock");
    }
}

// A session whose transaction stays open until the test says otherwise, as SQL text. Blocks.
class OpenTransaction {
public:
    explicit OpenTransaction(const TestDatabase& database, std::string isolation = "read committed")
        : session_(database.session(context_)) {
        execute("begin isolation level " + isolation);
    }
    void execute(const std::string& sql) {
        run(context_, [&] { return session_.run_script(sql, std::chrono::seconds(15)); });
    }
    void commit() { execute("commit"); }
    void rollback() { execute("rollback"); }

private:
    boost::asio::io_context context_;
    db::Session session_;
};

}  // namespace tests

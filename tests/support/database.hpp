#pragma once

// Real databases for tests: one private PostgreSQL for the whole test process, started at its first use, one database
// of its own for each test, cloned from a migrated template.
//
// Nothing is left behind, however the process ends. Several test processes run side by side without meeting.
//
// TASK_WORKER_TEST_ROUTE says how sessions reach it: directly when it is not set; `pooler`: through a PgBouncer in
// transaction mode; `pooler+direct`: the same, with the server as direct_url.

#include "db/session.hpp"
#include "db/settings.hpp"
#include "tests/support/psql.hpp"

#include <boost/asio/io_context.hpp>

#include <string>
#include <string_view>

namespace tests {

// The test process's private PostgreSQL: a libpq URI of one of its databases.
std::string server_url(std::string_view database = "postgres");
// Its socket: what a FaultProxy stands before.
std::string server_socket();

class TestDatabase {
public:
    enum class Content {
        migrated,  // all migrations applied
        empty,     // nothing, for tests of the migrations themselves
    };

    explicit TestDatabase(Content content = Content::migrated);
    ~TestDatabase();  // drops it, and cuts what is still connected
    TestDatabase(const TestDatabase&) = delete;
    TestDatabase& operator=(const TestDatabase&) = delete;

    const std::string& name() const { return name_; }
    const std::string& url() const { return url_; }  // the server's, whatever the route
    // These settings with the way of the route; or past the pooler, which only a route with a direct way has.
    db::ConnectionSettings settings(db::ConnectionSettings settings = {}) const;
    db::ConnectionSettings direct_settings() const;

    // A session on a connection of its own. Blocks; `context` must live longer than the session.
    db::Session session(boost::asio::io_context& context) const;
    db::Session direct_session(boost::asio::io_context& context) const;

    TextRows psql(const std::string& sql) const { return tests::psql(url_, sql); }
    // The one value of the one row.
    std::string value(const std::string& sql) const;
    void await(const std::string& sql, const std::string& wanted) const { await_value(url_, sql, wanted); }

private:
    std::string name_;
    std::string url_;
};

// Whether the route has no way past the pooler; then it prints that the test is skipped, and why.
bool skipped_without_direct(std::string_view why);

}  // namespace tests

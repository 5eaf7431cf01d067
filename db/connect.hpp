#pragma once

// The first step of a connection: names resolved without blocking, the parameters that every connection carries.

#include "db/settings.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <map>
#include <string>
#include <vector>

struct pg_conn;

namespace db {

// Where a connection goes and what it carries: the settings' URL with an address for each host name, application_name,
// TCP keepalives, tcp_user_timeout, UTF-8, and without a pooler the statement_timeout as a start-up option.
class ConnectTarget {
public:
    struct Host {
        std::string name;
        std::string address;
        std::string port;
    };

    // Host names are looked up through Asio, because libpq would block. A name with several addresses becomes several
    // hosts, tried in order, as libpq would. A name that is unknown is left out, and so is one for which no name server
    // answers within connect_timeout. Throws: db::Error (connection) when no host is left, of the first such name;
    // (usage) for a URL that libpq does not understand.
    static boost::asio::awaitable<ConnectTarget> resolve(
        boost::asio::any_io_executor executor, const ConnectionSettings& settings
    );

    // When the time of the first host is up: looking up its name counts.
    std::chrono::steady_clock::time_point deadline() const { return deadline_; }

    // PQconnectStart: never null; the caller polls it on, and owns it.
    pg_conn* start() const;

    // Leaves out the host that this connection waits for in vain. False: there is no other.
    bool leave_out(const pg_conn* silent);

private:
    ConnectTarget() = default;
    void add_defaults(const ConnectionSettings& settings);

    std::map<std::string, std::string> keywords_;
    std::vector<Host> hosts_;  // empty: libpq's default
    std::chrono::steady_clock::time_point deadline_;
};

}  // namespace db

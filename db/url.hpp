#pragma once

// Database URLs: whatever the user has (libpq URI, conninfo string, SQLAlchemy URL) becomes one libpq URI.
// Pure but for libpq's own defaults: PGHOST, PGPORT, PGUSER, PGDATABASE and PGSSLMODE stand in for what a URL omits.

#include <boost/system/result.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace db {

struct UrlHost {
    std::string name;  // host name, address, or the folder of a Unix socket; empty: libpq's default socket
    int port = 5432;
    bool is_unix_socket() const { return name.empty() || name.front() == '/' || name.front() == '@'; }
};

struct Url {
    std::string text;   // a libpq URI, password included: for libpq, never for a log
    std::string shown;  // the same with passwords as ***
    std::vector<UrlHost> hosts;
    std::string dbname;  // libpq's default, the user, when the URL has none
    std::string user;
    std::string sslmode;                      // libpq's default, prefer, when the URL has none
    std::chrono::seconds connect_timeout{0};  // 0: the URL does not say
    bool has_password = false;
    std::vector<std::string> ignored;  // query keys of an SQLAlchemy URL that mean nothing to libpq

    bool uses_tcp() const;  // at least one host is not a Unix socket
    bool verifies_server() const { return sslmode == "verify-full"; }
};

struct UrlError {
    std::string what;  // names what is wrong and the way out; never a part of the password
};

using UrlResult = boost::system::result<Url, UrlError>;

// Reads postgresql://, postgres://, postgresql+<driver>:// (asyncpg, psycopg, psycopg2, pg8000, psycopg_async) and
// conninfo strings. A driver's name is dropped; its ssl=... becomes sslmode; a query key that neither libpq nor the
// drivers know is an error that names it.
UrlResult parse_url(std::string_view text);

// The same URL with this password, not percent-encoded, in place of its own.
UrlResult with_password(const Url& url, std::string_view password);

}  // namespace db

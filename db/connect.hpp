#pragma once

// The first step of a connection: names resolved without blocking, the parameters that every connection carries.

#include "db/settings.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

struct pg_conn;

namespace db {

// PQconnectStart with the settings' URL: application_name, TCP keepalives, tcp_user_timeout, UTF-8, and without a
// pooler the statement_timeout as a start-up option. Host names are resolved through Asio, because libpq would block.
// Never null; the caller polls it on. Throws: db::Error (connection) for a name that does not resolve, (usage) for a
// URL that libpq does not understand.
boost::asio::awaitable<pg_conn*> start_connect(
    boost::asio::any_io_executor executor, const ConnectionSettings& settings
);

}  // namespace db

#pragma once

// What libpq's results and connections say, as values of db/error.hpp.

#include "db/error.hpp"
#include "db/settings.hpp"

#include <libpq-fe.h>

#include <string>
#include <string_view>

namespace db {

// A field of an error or notice (PG_DIAG_...), empty when it is not there.
std::string_view field_of(const PGresult* result, int field);

// The server's refusal. With the text of a script, the message names the line that failed.
ServerMessage server_message(const PGresult* result, std::string_view script = {});

// Why a connection attempt failed: the server's refusal with its SQLSTATE where libpq gives it, else connection.
Error connect_error(const PGconn* connection);

// The server as people know it: host and port, or the socket's folder.
std::string describe_target(const PGconn* connection);

const Hooks& no_hooks();

}  // namespace db

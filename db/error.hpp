#pragma once

// What goes wrong between this program and PostgreSQL: one exception class, told apart by whose fault it is.

#include <stdexcept>
#include <string>
#include <string_view>

namespace db {

enum class ErrorKind {
    server,        // the server refused a statement; sqlstate() says why
    connection,    // no connection, or it broke: whether the statement ran is unknown
    deadline,      // the client's deadline passed: whether the statement ran is unknown
    pool_timeout,  // no session became free in time; nothing was sent
    closed,        // the pool is shutting down; nothing was sent
    usage,         // the caller broke a rule of this library, or the settings are wrong
};

// What the server says of a refusal. Fields that it left out are empty.
struct ServerMessage {
    std::string sqlstate;
    std::string message;
    std::string detail;
    std::string hint;
    std::string constraint;
};

class Error : public std::runtime_error {
public:
    Error(ErrorKind kind, const std::string& what);
    Error(ServerMessage message, std::string_view statement);

    ErrorKind kind() const { return kind_; }
    const std::string& sqlstate() const { return server_.sqlstate; }  // five characters, or empty
    const ServerMessage& server() const { return server_; }
    const std::string& statement() const { return statement_; }  // name of the statement, or empty

    bool is_connection_lost() const;        // the session is of no use any more
    bool is_unavailable() const;            // the database cannot be reached or is starting up: try again later
    bool is_serialization_failure() const;  // 40001 or 40P01: run the whole transaction again
    bool is_data_error() const;             // classes 22 and 23: the values are at fault, a repeat fails again
    bool is_login_refused() const;          // class 28, 3D000: wrong user, password or database name

private:
    ErrorKind kind_;
    ServerMessage server_;
    std::string statement_;
};

}  // namespace db

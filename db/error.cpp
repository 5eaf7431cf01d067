#include "db/error.hpp"

namespace db {

namespace {
std::string describe(const ServerMessage& server, std::string_view statement) {
    std::string text = server.message;
    if (!server.detail.empty()) text += ": " + server.detail;
    if (!server.hint.empty()) text += " (" + server.hint + ")";
    if (!server.sqlstate.empty()) text += " [" + server.sqlstate + "]";
    if (!statement.empty()) text += " in " + std::string(statement);
    return text;
}
}  // namespace

Error::Error(ErrorKind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}

Error::Error(ServerMessage message, std::string_view statement)
    : std::runtime_error(describe(message, statement)),
      kind_(ErrorKind::server),
      server_(std::move(message)),
      statement_(statement) {}

bool Error::is_connection_lost() const {
    return kind_ == ErrorKind::connection || kind_ == ErrorKind::deadline || sqlstate().starts_with("57P") ||
           sqlstate().starts_with("08");
}

bool Error::is_unavailable() const {
    return is_connection_lost() || kind_ == ErrorKind::pool_timeout || sqlstate().starts_with("53");
}

bool Error::is_serialization_failure() const {
    return sqlstate() == "40001" || sqlstate() == "40P01";
}

bool Error::is_data_error() const {
    // A row without a partition is refused as if by a check, which has no name.
    const bool lacks_partition = sqlstate() == "23514" && server_.constraint.empty();
    return sqlstate().starts_with("22") || (sqlstate().starts_with("23") && !lacks_partition);
}

bool Error::is_login_refused() const {
    return sqlstate().starts_with("28") || sqlstate() == "3D000";
}

}  // namespace db

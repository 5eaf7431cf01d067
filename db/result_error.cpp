#include "db/result_error.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace db {

std::string_view field_of(const PGresult* result, int field) {
    const char* text = PQresultErrorField(result, field);
    return text == nullptr ? std::string_view{} : text;
}

ServerMessage server_message(const PGresult* result, std::string_view script) {
    ServerMessage message{
        std::string(field_of(result, PG_DIAG_SQLSTATE)),
        std::string(field_of(result, PG_DIAG_MESSAGE_PRIMARY)),
        std::string(field_of(result, PG_DIAG_MESSAGE_DETAIL)),
        std::string(field_of(result, PG_DIAG_MESSAGE_HINT)),
        std::string(field_of(result, PG_DIAG_CONSTRAINT_NAME))
    };
    if (message.message.empty()) message.message = PQresultErrorMessage(result);
    const std::string_view position = field_of(result, PG_DIAG_STATEMENT_POSITION);
    if (!script.empty() && !position.empty()) {
        std::size_t at = 0;
        std::from_chars(position.data(), position.data() + position.size(), at);
        const std::size_t end = std::min(script.size(), at);
        const auto line = 1 + std::count(script.begin(), script.begin() + static_cast<std::ptrdiff_t>(end), '\n');
        message.message += " at line " + std::to_string(line);
    }
    return message;
}

std::string describe_target(const PGconn* connection) {
    const auto text = [](const char* value) { return std::string(value == nullptr ? "" : value); };
    const std::string host = text(PQhost(connection));
    if (host.starts_with('/')) return "socket " + host;
    return (host.empty() ? std::string("the server") : host) + ":" + text(PQport(connection));
}

namespace {

// What to do, where libpq only says what is wrong.
std::string_view way_out(std::string_view text) {
    constexpr std::string_view foreign_authority =
        "; the server does not know who signed the certificate in sslcert: add that authority to its ssl_ca_file, a "
        "pooler's to client_tls_ca_file";
    constexpr std::array<std::pair<std::string_view, std::string_view>, 7> known{{
        {"certificate verify failed",
         "; the server's certificate has expired, or is not signed by an authority in sslrootcert: renew it, or set "
         "sslrootcert to its authority's file"},
        {"does not match host name", "; connect by a name that the certificate carries, or renew it with this name"},
        {"connection requires a valid client certificate",
         "; set sslcert and sslkey in the URL to a certificate for this user"},
        {"certificate authentication failed",
         "; the CN of the certificate in sslcert must be the URL's user, or pg_ident.conf map it"},
        {"alert unknown ca", foreign_authority},
        {"alert decrypt error", foreign_authority},
        {"server does not support SSL", "; turn on ssl in the server, or choose a weaker sslmode"},
    }};
    for (const auto& [words, hint] : known) {
        if (text.find(words) != std::string_view::npos) return hint;
    }
    return {};
}

}  // namespace

Error connect_error(const PGconn* connection) {
    std::string text = PQerrorMessage(connection);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    text += way_out(text);
    if (text.find("unsupported startup parameter: options") != std::string::npos) {
        return Error(
            ErrorKind::usage,
            "a connection pooler stands in front of the database: set pooler to transaction (DB_POOLER=transaction), "
            "and direct_url past it: " +
                text
        );
    }
    // libpq keeps no SQLSTATE of a failed login; the server's words for those that matter are stable in English and
    // begin the same in no other case. A server with other lc_messages gives a plain connection error.
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> known{{
        {"password authentication failed", "28P01"},
        {"no password supplied", "28P01"},
        {"no pg_hba.conf entry", "28000"},
        {"authentication failed", "28000"},
        {"role \"", "28000"},
        {"database \"", "3D000"},
        {"too many connections", "53300"},
        {"too many clients", "53300"},
    }};
    if (text.find("FATAL:") != std::string::npos || text.find("no password supplied") != std::string::npos) {
        for (const auto& [words, sqlstate] : known) {
            if (text.find(words) != std::string::npos) {
                return Error(ServerMessage{std::string(sqlstate), text, {}, {}, {}}, {});
            }
        }
        if (text.find("remaining connection slots") != std::string::npos) {
            return Error(ServerMessage{"53300", text, {}, {}, {}}, {});
        }
        if (text.find("the database system is") != std::string::npos) {
            return Error(ServerMessage{"57P03", text, {}, {}, {}}, {});
        }
    }
    return Error(ErrorKind::connection, text.empty() ? "no connection to " + describe_target(connection) : text);
}

const Hooks& no_hooks() {
    static const Hooks hooks;
    return hooks;
}

}  // namespace db

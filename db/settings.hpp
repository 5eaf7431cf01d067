#pragma once

// Settings of the database layer, as plain data. worker/config fills them; defaults are those of
// worker/config_keys.cpp.

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace db {

class Error;

enum class Pooler {
    none,         // a direct connection: named prepared statements, start-up options, LISTEN
    transaction,  // behind a PgBouncer in transaction mode: no named statements, no session state
};

// How one connection is opened and what it keeps.
struct ConnectionSettings {
    std::string url;  // libpq URI or conninfo, already normalised (db/url.hpp)
    Pooler pooler = Pooler::none;
    std::string application_name = "task-worker";
    std::chrono::milliseconds connect_timeout{10'000};    // of each host; of the first with its name's look-up
    std::chrono::milliseconds statement_timeout{30'000};  // server side; zero means none
    // A call that has no answer this much later than statement_timeout has lost its server: the connection is closed.
    std::chrono::milliseconds grace{5'000};
    // A call that has no other limit ends then: with statement_timeout zero, and scripts.
    std::chrono::milliseconds longest_call = std::chrono::hours(24);
};

struct PoolSettings {
    int pool_size = 10;     // connections kept
    int max_overflow = 20;  // connections beyond them under load, closed when returned
    std::chrono::milliseconds pool_timeout{30'000};
    std::chrono::seconds pool_recycle{3'600};  // age at which a connection is replaced; zero means never
    bool pool_pre_ping = true;
    std::chrono::milliseconds pre_ping_after{5'000};
    // Connections being opened at once, so that a burst does not arrive at the server as a burst of logins. Not a key
    // of config.yml.
    int connecting_limit = 8;
};

// What the layer tells its owner, who logs and counts it. Called on any thread of the executor; must not block.
struct Hooks {
    // A statement ended: its name, how long it took, and its error or null.
    std::function<void(std::string_view statement, std::chrono::nanoseconds took, const Error* error)> on_statement;
    // The server sent a notice or a warning.
    std::function<void(std::string_view severity, std::string_view message)> on_notice;
    // The pool opened a connection, or could not: its error, else null.
    std::function<void(const Error* error)> on_connect;
};

}  // namespace db

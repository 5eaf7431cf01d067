#pragma once

// Migrations: numbered steps of the schema, compiled into the program, applied in order under an advisory lock, each
// in a transaction of its own, with a ledger of what was applied (task_queue.migrations). docs/versions.md says what
// they may do while workers run.

#include "db/error.hpp"
#include "db/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace db {

struct Migration {
    int version;
    std::string_view name;  // 0001_create_queue
    std::string_view up;
    std::string_view down;
};

// The migrations compiled into this program, in order: those of db/migrations, unless a program that links the library
// defines others.
std::span<const Migration> embedded_migrations();
std::span<const Migration> written_migrations();  // those of db/migrations

// The oldest version of the schema whose programs go on working once this migration is applied, by a line of its text:
//     -- works with programs from 0005
// Without one its own version: older programs do not work with it.
int oldest_program(const Migration& migration);

struct MigrationStatus {
    int version;
    std::string name;
    std::optional<TimePoint> applied_at;  // empty: pending
    bool changed = false;                 // applied with another text than this program carries
    bool known = true;                    // false: applied by a newer program
    int oldest_program = 0;               // once it is applied
};

// Every migration that this program carries or the database has, in order.
boost::asio::awaitable<std::vector<MigrationStatus>> read_migrations(Session& session);

// How a step waits for locks. Whoever wants a lock that conflicts waits behind it, so each try is short, and between
// two of them the others go on.
struct LockPatience {
    std::chrono::milliseconds a_try{1'000};
    std::chrono::milliseconds longest{300'000};                     // for one step, all tries together
    std::function<void(const Migration&, const Error&)> on_wait{};  // called before each further try
};

// Applies what is pending, up to version `to` when given. Calls on_step before each. Returns how many were applied.
// Transaction: one of its own for each step; waits for another migrator.
// Throws: db::Error; the failed step is rolled back whole, earlier ones stay.
using OnStep = std::function<void(const Migration&)>;
boost::asio::awaitable<int> migrate_up(
    Session& session, std::optional<int> to = {}, OnStep on_step = {}, LockPatience patience = {}
);

// Where a migration was applied with another text than this program carries: gives the schema another name, which it
// returns, so that migrate_up makes a new one. Nothing is lost. Without such a migration it does nothing.
// Transaction: none; not for a database that others use.
boost::asio::awaitable<std::optional<std::string>> set_foreign_schema_aside(Session& session);

// Takes back the newest migration, or all newer than `to`. Returns how many were taken back.
boost::asio::awaitable<int> migrate_down(Session& session, std::optional<int> to = {}, OnStep on_step = {});

// Every migration that this program carries, with its entry in the ledger, as one script for psql: what migrate_up does
// to an empty database.
std::string migrations_as_sql();

// How the database's schema stands to this program's. `ahead`: newer, and its migrations work with this program.
enum class SchemaState { current, missing, older, newer, ahead };
boost::asio::awaitable<SchemaState> read_schema_state(Session& session);

}  // namespace db

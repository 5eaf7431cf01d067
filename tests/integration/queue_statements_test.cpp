// Every statement against the migrated schema.

#include "queue/statements.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"

#include <fmt/format.h>

#include <set>

TEST_CASE("statements are accepted by the migrated schema, each under a name of its own", "[queue][statements][db]") {
    const tests::TestDatabase database;
    std::set<std::string_view> names;
    for (const db::Statement* statement : queue::statements()) {
        INFO(statement->name);
        CHECK(names.insert(statement->name).second);
        CHECK_NOTHROW(database.psql(fmt::format("prepare {} as {}", statement->name, statement->sql)));
    }
}

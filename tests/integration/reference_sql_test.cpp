// docs/reference/sql.md says what the catalogue does.

#include "tests/support/database.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/reference.hpp"

TEST_CASE("docs/reference/sql.md is current", "[queue][golden][reference]") {
    const tests::TestDatabase database;
    tests::check_golden("docs/reference/sql.md", tests::sql_reference(database.url()));
}

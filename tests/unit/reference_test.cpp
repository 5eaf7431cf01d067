// docs/reference says what the program knows. Metrics: metrics_test.cpp; SQL: tests/integration/reference_sql_test.cpp.

#include "tests/support/reference.hpp"

#include "tests/support/golden.hpp"

TEST_CASE("docs/reference/config.md is current", "[worker][config][golden][reference]") {
    tests::check_golden("docs/reference/config.md", tests::config_reference());
}

TEST_CASE("docs/reference/commands.md is current", "[worker][cli][golden][reference]") {
    tests::check_golden("docs/reference/commands.md", tests::cli_reference());
}

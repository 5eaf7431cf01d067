#include "db/budget.hpp"

#include "tests/support/catch.hpp"

namespace {

db::BudgetRequest a_fleet(std::vector<int> workers) {
    db::BudgetRequest request{.reserved_connections = 3, .server_max_connections = 100};
    for (const int connections : workers) {
        const std::string name = "w" + std::to_string(request.workers.size() + 1);
        request.workers.push_back({name, connections, request.workers.empty()});
    }
    return request;
}

}  // namespace

TEST_CASE("own_connections counts the pool, the control connection and LISTEN", "[db][budget]") {
    CHECK(db::own_connections({.pool_size = 10, .max_overflow = 20}) == 32);
    CHECK(db::own_connections({.pool_size = 1, .max_overflow = 0}) == 3);
}

TEST_CASE("add_up holds the fleet against the lesser limit", "[db][budget]") {
    struct Row {
        std::string_view rule;
        std::vector<int> workers;
        int other;
        std::optional<int> configured;
        int overrun;
        int limit;
    };
    const Row rows[] = {
        {"an empty fleet fits", {}, 0, {}, 0, 100},
        {"exactly full fits", {32, 32}, 33, {}, 0, 100},
        {"one more overruns by one", {32, 32}, 34, {}, 1, 100},
        {"the configured maximum binds when it is less", {32}, 0, 30, 5, 30},
        {"the server's binds when it is less", {98}, 0, 200, 1, 100},
        {"the reserve counts", {97}, 0, {}, 0, 100},
    };
    for (const Row& row : rows) {
        INFO(row.rule);
        db::BudgetRequest request = a_fleet(row.workers);
        request.other_connections = row.other;
        request.configured_max = row.configured;
        const db::Budget budget = db::add_up(request);
        CHECK(budget.overrun() == row.overrun);
        CHECK(budget.fits() == (row.overrun == 0));
        CHECK(budget.limit == row.limit);
    }
}

TEST_CASE("verdict says what to change, with numbers that would fit", "[db][budget]") {
    using Catch::Contains;
    CHECK(db::verdict(db::add_up(a_fleet({32}))) == "fits the server's max_connections (100): 35 claimed, 65 to spare");

    const std::string own = db::verdict(db::add_up(a_fleet({40, 62})));
    CHECK_THAT(own, Contains("overruns the server's max_connections (100) by 5: 105 claimed"));
    CHECK_THAT(own, Contains("of this worker from 38 to 33") && Contains("raise the server's max_connections to 105"));

    const std::string every = db::verdict(db::add_up(a_fleet({3, 102, 3})));
    CHECK_THAT(every, Contains("of every worker by 4, or run fewer workers"));

    db::BudgetRequest crowded = a_fleet({3});
    crowded.other_connections = 120;
    crowded.configured_max = 90;
    const std::string other = db::verdict(db::add_up(crowded));
    CHECK_THAT(other, Contains("lower other_connections") && Contains("raise database.max_connections to 126"));
    CHECK_THAT(other, Contains("put a PgBouncer between"));

    db::BudgetRequest pooled = a_fleet({1, 90, 1});
    pooled.other_connections = 20;
    pooled.is_pooled = true;
    const std::string behind = db::verdict(db::add_up(pooled));
    CHECK_THAT(behind, Contains("lower other_connections") && Contains("raise the server's max_connections to 115"));
    CHECK_THAT(behind, !Contains("pool_size") && !Contains("PgBouncer"));
}

TEST_CASE("to_text prints a table whose numbers stand in one column", "[db][budget]") {
    CHECK(
        db::to_text(db::add_up(a_fleet({32, 12}))) ==
        "worker w1 (this one)                     32\n"
        "worker w2                                12\n"
        "other services (other_connections)        0\n"
        "reserved by the server                    3\n"
        "claimed                                  47\n"
        "limit: the server's max_connections     100\n"
        "fits the server's max_connections (100): 47 claimed, 53 to spare\n"
    );
}

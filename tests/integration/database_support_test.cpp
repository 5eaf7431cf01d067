// The databases that the other tests stand on.

#include "db/connection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/database.hpp"
#include "tests/support/run.hpp"

#include <optional>
#include <string>

namespace {

const db::Statement current_database_sql{"current_database", "select current_database()::text"};

}  // namespace

TEST_CASE("TestDatabase is migrated, or empty when asked", "[support][db]") {
    const tests::TestDatabase migrated;
    CHECK(migrated.value("select to_regclass('task_queue.migrations') is not null") == "t");
    const tests::TestDatabase empty(tests::TestDatabase::Content::empty);
    CHECK(empty.value("select to_regclass('task_queue.migrations') is null") == "t");
}

TEST_CASE("TestDatabase sees nothing of another one", "[support][db]") {
    const tests::TestDatabase one;
    const tests::TestDatabase other;
    one.psql("create table here (n int)");
    CHECK(other.value("select to_regclass('here') is null") == "t");
}

TEST_CASE("TestDatabase is dropped at the end of its test, connected sessions or not", "[support][db]") {
    boost::asio::io_context context;
    std::string name;
    std::optional<db::Session> session;
    {
        const tests::TestDatabase database;
        name = database.name();
        session.emplace(database.session(context));
        const db::Rows rows = tests::run(context, [&] { return session->execute(current_database_sql); });
        CHECK(rows.front().get<std::string>(0) == name);
    }
    CHECK(tests::psql(tests::server_url(), "select from pg_database where datname = '" + name + "'").empty());
}

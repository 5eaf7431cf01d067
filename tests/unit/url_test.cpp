#include "db/url.hpp"

#include "tests/support/catch.hpp"

#include <libpq-fe.h>

#include <cstdlib>
#include <map>

namespace {

db::Url parsed(std::string_view text) {
    const auto url = db::parse_url(text);
    INFO(text);
    if (!url) FAIL(url.error().what);
    return *url;
}

std::string error_of(std::string_view text) {
    const auto url = db::parse_url(text);
    INFO(text);
    REQUIRE(url.has_error());
    return url.error().what;
}

// What libpq itself reads from the normalised URL.
std::map<std::string, std::string> read_by_libpq(const db::Url& url) {
    PQconninfoOption* options = PQconninfoParse(url.text.c_str(), nullptr);
    REQUIRE(options != nullptr);
    std::map<std::string, std::string> values;
    for (const auto* option = options; option->keyword != nullptr; ++option) {
        if (option->val != nullptr) values[option->keyword] = option->val;
    }
    PQconninfoFree(options);
    return values;
}

void forget_environment() {
    for (const char* name : {"PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGDATABASE", "PGSSLMODE", "PGSERVICE"}) {
        unsetenv(name);
    }
}

}  // namespace

TEST_CASE("parse_url turns every accepted form into a libpq URI", "[db][url]") {
    forget_environment();
    struct Row {
        std::string_view given;
        std::string_view text;
    };
    const Row rows[] = {
        {"postgresql://app:pw@db:5433/jobs?sslmode=require", "postgresql://app:pw@db:5433/jobs?sslmode=require"},
        {"postgres://app@db/jobs", "postgresql://app@db/jobs"},
        {"postgresql+asyncpg://app:pw@db/jobs", "postgresql://app:pw@db/jobs"},
        {"postgresql+psycopg://app@db/jobs", "postgresql://app@db/jobs"},
        {"postgresql+psycopg2://app@db/jobs?sslmode=verify-full", "postgresql://app@db/jobs?sslmode=verify-full"},
        {"postgresql+pg8000://app@db/jobs", "postgresql://app@db/jobs"},
        {"postgresql+asyncpg://app@db/jobs?ssl=require", "postgresql://app@db/jobs?sslmode=require"},
        {"postgresql+asyncpg://app@db/jobs?ssl=verify-full", "postgresql://app@db/jobs?sslmode=verify-full"},
        {"postgresql://app@db/jobs?ssl=true", "postgresql://app@db/jobs?sslmode=require"},
        {"postgresql://a:1,b:2/jobs", "postgresql://a:1,b:2/jobs"},
        {"postgresql://a,b:2/jobs", "postgresql://a:5432,b:2/jobs"},
        {"postgresql://[::1]:5432/jobs", "postgresql://[::1]:5432/jobs"},
        {"host=fe80::1%eth0 dbname=jobs", "postgresql://[fe80::1%25eth0]/jobs"},
        {"postgresql://db,/jobs", "postgresql://db,/jobs"},
        {"host=, port=1,2 dbname=jobs", "postgresql://:1,:2/jobs"},
        {"postgresql:///jobs?host=[::0]:", "postgresql://[%5B::0%5D:]/jobs"},
        {"postgresql+psycopg2://app@/jobs?host=a:1&host=b:2", "postgresql://app@a:1,b:2/jobs"},
        {"postgresql+asyncpg:///jobs?host=/run/postgresql", "postgresql://%2Frun%2Fpostgresql/jobs"},
        {"postgresql+pg8000:///jobs?unix_sock=/run/pg/.s.PGSQL.5432", "postgresql://%2Frun%2Fpg/jobs"},
        {"postgresql:///jobs?host=/tmp&port=5433", "postgresql://%2Ftmp:5433/jobs"},
        {"host=/tmp port=5433 dbname=jobs user=app", "postgresql://app@%2Ftmp:5433/jobs"},
        {"host=a,b port=5433 dbname=jobs", "postgresql://a:5433,b:5433/jobs"},
        {"host=db password='it''s'", ""},
        {"host=db password='a b\\'c'", "postgresql://:a%20b%27c@db"},
        {"hostaddr=10.0.0.1 host=db dbname=jobs", "postgresql:///jobs?host=db&hostaddr=10.0.0.1"},
        {"dbname=jobs", "postgresql:///jobs"},
        {"postgresql://", "postgresql://"},
    };
    for (const Row& row : rows) {
        if (row.text.empty()) {
            error_of(row.given);
            continue;
        }
        const db::Url url = parsed(row.given);
        CHECK(url.text == row.text);
        read_by_libpq(url);
        CHECK(parsed(url.text).text == url.text);
    }
}

TEST_CASE("parse_url keeps percent-encoding right, by libpq's rules or SQLAlchemy's", "[db][url]") {
    CHECK(read_by_libpq(parsed("postgresql://a%40b:p%2Fw%25@db/j%20s"))["password"] == "p/w%");
    CHECK(read_by_libpq(parsed("postgresql://a%40b:p%2Fw%25@db/j%20s"))["user"] == "a@b");
    CHECK(read_by_libpq(parsed("postgresql://a%40b:p%2Fw%25@db/j%20s"))["dbname"] == "j s");
    CHECK(read_by_libpq(parsed("postgresql+asyncpg://u:p/w:x?y%@db/j"))["password"] == "p/w:x?y%");
    CHECK(read_by_libpq(parsed("postgresql+asyncpg://u:p+w@db/j"))["password"] == "p+w");
    CHECK(read_by_libpq(parsed("postgresql+asyncpg://u@db/j?options=-c+a%3Db"))["options"] == "-c a=b");
    CHECK(read_by_libpq(parsed("postgresql://u@db/j?options=-c%20a%3Db"))["options"] == "-c a=b");
}

TEST_CASE("parse_url answers the questions of check and of the production rules", "[db][url]") {
    forget_environment();
    const db::Url several = parsed("postgresql://app:pw@db1:5433,[fe80::1]/jobs?sslmode=verify-full");
    REQUIRE(several.hosts.size() == 2);
    CHECK(several.hosts[0].name == "db1");
    CHECK(several.hosts[0].port == 5433);
    CHECK(several.hosts[1].name == "fe80::1");
    CHECK(several.hosts[1].port == 5432);
    CHECK(several.uses_tcp());
    CHECK(several.verifies_server());
    CHECK(several.has_password);
    CHECK(several.user == "app");
    CHECK(several.dbname == "jobs");

    const db::Url socket = parsed("postgresql://app@%2Ftmp");
    CHECK_FALSE(socket.uses_tcp());
    CHECK_FALSE(socket.has_password);
    CHECK(socket.dbname == "app");
    CHECK(socket.sslmode == "prefer");
    CHECK_FALSE(parsed("dbname=jobs").uses_tcp());
    CHECK(parsed("hostaddr=10.0.0.1").uses_tcp());

    const db::Url shared = parsed("postgresql+asyncpg://app@db/jobs?prepared_statement_cache_size=0&ssl=require");
    CHECK(shared.ignored == std::vector<std::string>{"prepared_statement_cache_size"});
    CHECK(shared.sslmode == "require");
}

TEST_CASE("parse_url takes from libpq's environment what a URL omits", "[db][url]") {
    forget_environment();
    setenv("PGSSLMODE", "verify-full", 1);
    setenv("PGHOST", "db", 1);
    const db::Url url = parsed("dbname=jobs");
    forget_environment();
    CHECK(url.verifies_server());
    CHECK(url.uses_tcp());
}

TEST_CASE("Url::shown hides every password", "[db][url]") {
    for (const std::string_view text :
         {"postgresql://u:hunter2@db/j",
          "postgresql://u@db/j?password=hunter2",
          "host=db user=u password=hunter2",
          "postgresql+asyncpg://u:hunter2@db/j",
          "postgresql://u@db/j?sslpassword=hunter2"}) {
        const db::Url url = parsed(text);
        CHECK(url.text.find("hunter2") != std::string::npos);
        CHECK(url.shown.find("hunter2") == std::string::npos);
        CHECK(url.shown.find("***") != std::string::npos);
    }
}

TEST_CASE("with_password sets and replaces the password", "[db][url]") {
    forget_environment();
    const auto added = db::with_password(parsed("postgresql://app@db/jobs"), "p/w@:%'\\ ");
    REQUIRE(added.has_value());
    CHECK(read_by_libpq(*added)["password"] == "p/w@:%'\\ ");
    const auto replaced = db::with_password(*added, "new");
    REQUIRE(replaced.has_value());
    CHECK(replaced->text == "postgresql://app:new@db/jobs");
    CHECK(replaced->shown == "postgresql://app:***@db/jobs");
}

TEST_CASE("parse_url names what is wrong and never prints the password", "[db][url]") {
    forget_environment();
    struct Row {
        std::string_view given;
        std::string_view says;
    };
    const Row rows[] = {
        {"", "empty"},
        {" \n", "empty"},
        {"jobs", "neither a URL nor a conninfo string"},
        {"mysql://u:hunter2@db/j", "mysql://"},
        {"postgresql+aiopg://u:hunter2@db/j", "postgresql+aiopg://"},
        {"postgresql://u:hunter2@db/j?pool=5", "unknown key pool"},
        {"postgresql+asyncpg://u:hunter2@db/j?pool=5", "unknown key pool"},
        {"postgresql://u:hunter2@db/j?statement_cache_size=0", "unknown key statement_cache_size"},
        {"postgresql://u:hunter2@db:x/j", "port is not a number"},
        {"postgresql://u:hunter2@db:70000/j", "port is not a number"},
        {"postgresql://u:x/hunter2@db/j", "%2F"},
        {"postgresql://u:1/hunter2@db", "%2F"},
        {"postgresql+asyncpg://u:x@hunter2@db/j", "%40"},
        {"postgresql+asyncpg://u:x@hunter2?hunter2@db/j", "unknown key"},
        {"postgresql://u:hunter2%zz@db/j", "a % in the password"},
        {"postgresql://u:hunter2@db%/j", "a % in the host's name"},
        {"postgresql://u:%00hunter2@db/j", "%00 in the password"},
        {"postgresql://u:hunter2@[::1/j", "[address]:port"},
        {"postgresql://u:hunter2@db/j?sslmode=strict", "verify-full; not strict"},
        {"host=db password=a hunter2", "in single quotes"},
        {"host=db password=a hunter2=x", "in single quotes"},
        {"host=db password='hunter2", "in single quotes"},
        {"hots=db password=hunter2", "unknown option hots"},
        {"host=a,b port=1,2,3", "2 hosts but 3 ports"},
    };
    for (const Row& row : rows) {
        const std::string error = error_of(row.given);
        CHECK_THAT(error, Catch::Contains(std::string(row.says)));
        CHECK(error.find("hunter2") == std::string::npos);
    }
}

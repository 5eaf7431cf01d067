#include "tests/support/config_given.hpp"
#include "worker/config.hpp"

using namespace worker;
using namespace tests;

TEST_CASE("load_config prefers secrets in files over environment variables", "[worker][config][setting]") {
    const tests::TemporaryFolder secrets;
    secrets.write("url", "postgresql://app@db/jobs\n");
    secrets.write("password", "p/w@\r\n");
    Given given{
        .environment =
            {
                {"DATABASE_URL", "postgresql://other:old@db/jobs"},
                {"DATABASE_URL_FILE", secrets.path() + "/url"},
                {"DB_PASSWORD_FILE", secrets.path() + "/password"},
            }
    };
    CHECK(loaded(given).database.connection.url == "postgresql://app:p%2Fw%40@db/jobs");
    const Setting url = setting(load(given), "database.url");
    CHECK(url.value == "postgresql://app:***@db/jobs");
    CHECK(url.source == "file " + secrets.path() + "/url (environment variable DATABASE_URL_FILE)");
    given.flags = {{"database.url", "postgresql://flag@db/jobs"}};
    CHECK(loaded(given).database.connection.url == "postgresql://flag:p%2Fw%40@db/jobs");
    secrets.write("password", "\n");
    CHECK_THAT(problems_of(given).at(0), Catch::EndsWith("is empty"));
}

TEST_CASE("load_config holds production against risky settings, unless allowed", "[worker][config]") {
    struct Row {
        std::string yaml;
        std::map<std::string, std::string> environment;
        std::vector<std::string> keys;  // of the problems
    };
    const std::string safe = "postgresql://app@db/jobs?sslmode=verify-full";
    const std::string with_password = "postgresql://app:hunter2@db/jobs?sslmode=verify-full";
    const std::string weak = "postgresql://app@db/jobs?sslmode=require";
    const Row rows[] = {
        {"", {{"DATABASE_URL", safe}}, {}},
        {"", {{"DATABASE_URL", with_password}}, {}},
        {"", {{"DATABASE_URL", "postgresql:///jobs?host=/tmp"}}, {}},
        {"", {{"DATABASE_URL", weak}}, {"database.url"}},
        {"", {{"DATABASE_URL", safe}, {"DATABASE_DIRECT_URL", weak}}, {"database.direct_url"}},
        {"allow: [sslmode]", {{"DATABASE_URL", weak}}, {}},
        {"database: {echo: true}", {{"DATABASE_URL", safe}}, {"database.echo"}},
        {"allow: [echo]\ndatabase: {echo: true}", {{"DATABASE_URL", safe}}, {}},
        {"database: {url: '" + with_password + "'}", {}, {"database.url"}},
        {"allow: [plain_password]\ndatabase: {url: '" + with_password + "'}", {}, {}},
        {"database: {url: '" + with_password + "'}", {{"DATABASE_URL", safe}}, {}},
        {"", {}, {"database.url"}},
    };
    for (const Row& row : rows) {
        Given given{.yaml = row.yaml, .environment = row.environment};
        given.environment["ENVIRONMENT"] = "production";
        std::vector<std::string> keys;
        for (const Problem& problem : load(given).problems) {
            keys.push_back(problem.key);
            CHECK(describe(problem).find("hunter2") == std::string::npos);
        }
        INFO(row.yaml);
        CHECK(keys == row.keys);
    }
}

TEST_CASE("load_config shows no secret among the settings", "[worker][config]") {
    const LoadedConfig config = load(
        {.yaml = "database: {url: 'postgresql://u:hunter2@db/j?pool=1', direct_url: 'postgresql://u:hunter2@db/j'}\n"
                 "handlers: {x: {exec: [a], env: {TOKEN: hunter2}}}"}
    );
    for (const Setting& one : config.settings) {
        INFO(one.key);
        CHECK(one.value.find("hunter2") == std::string::npos);
    }
    CHECK(setting(config, "handlers.x.env").value == "TOKEN=***");
}

#include "worker/config.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/temporary_folder.hpp"
#include "worker/config_keys.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>

using namespace worker;
using namespace std::chrono_literals;

namespace {

const std::string source_folder = TASK_WORKER_SOURCE_DIR;

struct Given {
    std::string yaml{};
    std::map<std::string, std::string> environment{};
    std::map<std::string, std::string> flags{};
    std::string dotenv{};
};

LoadedConfig load(const Given& given) {
    const tests::TemporaryFolder folder;
    if (!given.yaml.empty()) folder.write("config.yml", given.yaml);
    if (!given.dotenv.empty()) folder.write(".env", given.dotenv);
    return load_config({.folder = folder.path(), .flags = given.flags, .environment = given.environment});
}

Config loaded(const Given& given) {
    LoadedConfig result = load(given);
    for (const Problem& problem : result.problems) UNSCOPED_INFO(describe(problem));
    REQUIRE(result.problems.empty());
    return std::move(result.config);
}

std::vector<std::string> problems_of(const Given& given) {
    std::vector<std::string> texts;
    for (const Problem& problem : load(given).problems) texts.push_back(describe(problem));
    return texts;
}

Setting setting(const LoadedConfig& config, const std::string& key) {
    const auto found = std::ranges::find(config.settings, key, &Setting::key);
    REQUIRE(found != config.settings.end());
    return *found;
}

std::string read(const std::string& path) {
    std::ifstream input(path);
    REQUIRE(input);
    return {std::istreambuf_iterator<char>(input), {}};
}

}  // namespace

TEST_CASE("load_config without any source gives the documented defaults", "[worker][config]") {
    const LoadedConfig result = load({});
    REQUIRE(result.problems.empty());
    CHECK(result.config.database.connection.url.empty());
    CHECK(result.config.database.pool.pool_size == 10);
    CHECK(result.config.worker.threads >= 1);
    CHECK(result.config.queues.contains("default"));
    CHECK(result.settings.size() == config_keys().size());
    for (const Setting& one : result.settings) CHECK(one.source == "default");
}

TEST_CASE("load_config takes flags over environment over .env over config.yml over defaults", "[worker][config]") {
    Given given;
    const auto pool_size = [&] { return loaded(given).database.pool.pool_size; };
    const auto source = [&] { return setting(load(given), "database.pool_size").source; };
    CHECK(pool_size() == 10);
    given.yaml = "# first\ndatabase:\n  pool_size: 11\n";
    CHECK(pool_size() == 11);
    CHECK(source() == "config.yml:3");
    given.dotenv = "# the API's\nexport DB_POOL_SIZE='12'  # shared\nSECRET_KEY=x\n";
    CHECK(pool_size() == 12);
    CHECK(source() == ".env:2 DB_POOL_SIZE");
    given.environment = {{"DB_POOL_SIZE", "13"}};
    CHECK(pool_size() == 13);
    CHECK(source() == "environment variable DB_POOL_SIZE");
    given.flags = {{"database.pool_size", "14"}};
    CHECK(pool_size() == 14);
    CHECK(source() == "command line");
}

TEST_CASE("load_config reads .env in development only", "[worker][config]") {
    const std::string dotenv = "DB_POOL_SIZE=12\n";
    CHECK(loaded({.environment = {{"ENVIRONMENT", "development"}}, .dotenv = dotenv}).database.pool.pool_size == 12);
    const std::map<std::string, std::string> test{{"ENVIRONMENT", "test"}, {"DATABASE_URL", "host=/tmp"}};
    CHECK(loaded({.environment = test, .dotenv = dotenv}).database.pool.pool_size == 10);
    CHECK(
        loaded({.yaml = "environment: test\ndatabase: {url: host=/tmp}", .dotenv = dotenv}).database.pool.pool_size ==
        10
    );
    const auto problems = problems_of({.dotenv = "ENVIRONMENT=production\n"});
    REQUIRE(problems.size() == 1);
    CHECK(problems[0] == ".env:1: environment: .env is read in development only; set ENVIRONMENT in the environment");
    const auto broken = problems_of({.dotenv = "A=1\nnonsense\nB='open\n"});
    REQUIRE(broken.size() == 2);
    CHECK(broken[0] == ".env:2: is not NAME=value, with quotes closed");
    CHECK(broken[1] == ".env:3: is not NAME=value, with quotes closed");
}

TEST_CASE("load_config reads every section", "[worker][config]") {
    const Config config = loaded({.yaml = R"(
migrate_on_start: yes
allow: [echo, sslmode]
database:
  url: postgresql+asyncpg://app:pw@db/jobs?ssl=require
  pooler: transaction
  direct_url: postgresql://app@direct/jobs
  pool_recycle: 30m
  max_connections: 50
  budget: warn
worker: {threads: 3, queues: mail, heartbeat: 2, linger: 0}
http: {listen: "[::1]:0"}
shutdown: {soft: 1m}
retention: {completed: 0, discarded: 90d}
limits: {args: 2MiB, output: 10KiB, result: 1KiB}
log: {level: debug, format: json}
queues:
  mail: {concurrency: 4, paused: true}
  bulk:
handlers:
  thumbnail:
    exec: [python3, thumb.py, 7]
    timeout: 60s
    concurrency: 2
    max_attempts: 3
    backoff: {first: 2s, cap: 10m, factor: 1.5, jitter: 0}
    env: {MODE: fast, LEVEL: 3}
    pass_env: [PATH, HOME]
    cwd: scripts
    kill_after: 1s
    limits: {memory: 512MiB, cpu: 10s}
  other: {exec: ["true"], cwd: /srv, limits: {output: 1MiB}}
)"});
    CHECK(config.migrate_on_start);
    CHECK(is_allowed(config, "sslmode"));
    CHECK(config.database.connection.url == "postgresql://app:pw@db/jobs?sslmode=require");
    CHECK(config.database.shown_url == "postgresql://app:***@db/jobs?sslmode=require");
    CHECK(config.database.direct_url == "postgresql://app@direct/jobs");
    CHECK(config.database.connection.pooler == db::Pooler::transaction);
    CHECK(config.database.pool.pool_recycle == 30min);
    CHECK(config.database.max_connections == 50);
    CHECK(config.database.budget == BudgetMode::warn);
    CHECK(config.worker.threads == 3);
    CHECK(config.worker.queues == std::vector<std::string>{"mail"});
    CHECK(config.worker.heartbeat == 2s);
    CHECK(config.worker.linger == 0ms);
    CHECK(config.listen.host == "::1");
    CHECK(config.listen.port == 0);
    CHECK(config.shutdown.soft == 1min);
    CHECK(config.retention.completed == 0s);
    CHECK(config.retention.discarded == 90 * 24h);
    CHECK(config.limits.args == std::size_t{2} * 1024 * 1024);
    CHECK(config.log.level == LogLevel::debug);
    CHECK(config.log.format == LogFormat::json);
    CHECK(config.queues.size() == 3);
    CHECK(config.queues.at("mail").concurrency == 4);
    CHECK(config.queues.at("mail").paused);

    const HandlerConfig& thumbnail = config.handlers.at("thumbnail");
    CHECK(thumbnail.exec.command == std::vector<std::string>{"python3", "thumb.py", "7"});
    CHECK(thumbnail.policy.timeout == 60s);
    CHECK(thumbnail.policy.concurrency == 2);
    CHECK(thumbnail.policy.max_attempts == 3);
    CHECK(thumbnail.policy.backoff.first == 2s);
    CHECK(thumbnail.policy.backoff.cap == 10min);
    CHECK(thumbnail.policy.backoff.factor == 1.5);
    CHECK(thumbnail.policy.backoff.jitter == 0);
    CHECK(thumbnail.exec.env == std::map<std::string, std::string>{{"MODE", "fast"}, {"LEVEL", "3"}});
    CHECK(thumbnail.exec.pass_env == std::vector<std::string>{"PATH", "HOME"});
    CHECK(thumbnail.exec.cwd == config.folder + "/scripts");
    CHECK(thumbnail.exec.kill_after == 1s);
    CHECK(thumbnail.exec.memory_bytes == std::uint64_t{512} * 1024 * 1024);
    CHECK(thumbnail.exec.cpu == 10s);
    CHECK(thumbnail.exec.output_limit == 10'240);
    CHECK(thumbnail.exec.result_limit == 1'024);
    CHECK(config.handlers.at("other").exec.cwd == "/srv");
    CHECK(config.handlers.at("other").exec.output_limit == 1'048'576);
}

TEST_CASE("load_config reports each wrong thing with its place and the way out", "[worker][config]") {
    struct Row {
        Given given;
        std::string says;
    };
    const Row rows[] = {
        {{.yaml = "a: [1"}, "config.yml:1: is not YAML: "},
        {{.yaml = "just text"}, "config.yml:1: takes keys: environment, migrate_on_start"},
        {{.yaml = "---\n{}\n---\n{}\n"}, "config.yml: holds several YAML documents"},
        {{.yaml = "log: {}\nlog: {}"}, "config.yml:2: log is given twice, first on line 1"},
        {{.yaml = "databse:\n  url: x"}, "config.yml:1: databse: unknown key; did you mean database?"},
        {{.yaml = "database:\n\n  pol_size: 5"}, "config.yml:3: database.pol_size: unknown key; did you mean pool_size?"
        },
        {{.yaml = "max_overflow: 5"}, "config.yml:1: max_overflow: unknown key; did you mean database.max_overflow?"},
        {{.yaml = "http: {zzz: 1}"}, "config.yml:1: http.zzz: unknown key; known here: listen"},
        {{.yaml = "database: 5"}, "config.yml:1: database: takes keys: url, url_file"},
        {{.yaml = "database: {pool_size: 0}"}, "database.pool_size: \"0\" is not a whole number from 1 to 10000"},
        {{.yaml = "database: {pool_size: [1]}"}, "database.pool_size: takes one value, a whole number"},
        {{.yaml = "database: {echo: maybe}"}, "database.echo: \"maybe\" is not true or false"},
        {{.yaml = "database: {pooler: session}"}, "\"session\" is not one of none, transaction"},
        {{.yaml = "database: {pool_recycle: 1500ms}"}, "\"1500ms\" is not a duration of whole seconds, such as 30s"},
        {{.yaml = "worker: {poll: 0}"}, "\"0\" is not a duration of at least 1ms, such as 500ms, 30s"},
        {{.yaml = "worker: {poll: 5 minutes}"}, "worker.poll: \"5 minutes\" is not a duration"},
        {{.yaml = "worker: {heartbeat: 11s}"},
         "worker.lease_timeout: 30s is less than three times worker.heartbeat (11s)"},
        {{.yaml = "worker: {queues: [defualt]}"}, "\"defualt\" is not declared under queues; did you mean default?"},
        {{.yaml = "limits: {args: 64KB}"}, "limits.args: \"64KB\" is not a size from 8KiB to 256MiB"},
        {{.yaml = "http: {listen: 8090}"}, "http.listen: \"8090\" is not an IP address with a port"},
        {{.yaml = "http: {listen: 'db:8090'}"}, "http.listen: \"db:8090\" is not an IP address with a port"},
        {{.yaml = "http: {listen: '127.0.0.1:65536'}"}, "is not an IP address with a port"},
        {{.yaml = "allow: [everything]"}, "allow: \"everything\" is not one of echo, plain_password, sslmode"},
        {{.yaml = "environment: staging\ndatabase: {url: host=/t}"}, "environment: \"staging\" is not one of dev, test"
        },
        {{.yaml = "queues: [a]"}, "config.yml:1: queues: takes names, each with its keys"},
        {{.yaml = "queues: {'a b': {}}"}, "queues: \"a b\" is not a name"},
        {{.yaml = "queues: {mail: {pause: true}}"}, "queues.mail.pause: unknown key; did you mean paused?"},
        {{.yaml = "handlers: {x: {exec: sh run.sh}}"}, "handlers.x.exec: is one text; write a list"},
        {{.yaml = "handlers: {x: {exec: []}}"}, "handlers.x.exec: takes a list with a program"},
        {{.yaml = "handlers: {x: {exec: [[a]]}}"}, "handlers.x.exec: takes plain values, nothing nested"},
        {{.yaml = "handlers: {x: {timeout: 5}}"}, "config.yml:1: handlers.x: needs exec: [program, argument, ...]"},
        {{.yaml = "handlers: {x: }"}, "handlers.x: needs exec"},
        {{.yaml = "handlers: {x: {http: {url: u}}}"}, "handlers.x.http: http handlers are not supported by this version"
        },
        {{.yaml = "handlers: {x: {exec: [a], backoff: {frist: 1}}}"}, "backoff.frist: unknown key; did you mean first?"
        },
        {{.yaml = "handlers: {x: {exec: [a], backoff: {first: 2h}}}"}, "backoff.cap: 1h is less than backoff.first, 2h"
        },
        {{.yaml = "handlers: {x: {exec: [a], env: [A]}}"}, "handlers.x.env: "},
        {{.yaml = "database: {url: 'mysql://u:hunter2@db/j'}"}, "config.yml:1: database.url: the scheme mysql://"},
        {{.environment = {{"DB_POOL_SIZE", "many"}}}, "environment variable DB_POOL_SIZE: database.pool_size: \"many\""
        },
        {{.environment = {{"TASK_WORKER_WORKER_THREDS", "2"}}},
         "environment variable TASK_WORKER_WORKER_THREDS: unknown variable; did you mean TASK_WORKER_WORKER_THREADS?"},
        {{.flags = {{"database.pool_sise", "2"}}},
         "command line: database.pool_sise: unknown key; did you mean database.pool_size?"},
        {{.environment = {{"DATABASE_URL_FILE", "/nowhere/url"}}}, "database.url_file: \"/nowhere/url\" cannot be read"
        },
        {{.environment = {{"ENVIRONMENT", "test"}}}, "database.url: is missing; only dev has an embedded database"},
    };
    for (const Row& row : rows) {
        const auto problems = problems_of(row.given);
        INFO(row.says);
        REQUIRE(problems.size() == 1);
        CHECK_THAT(problems[0], Catch::Contains(row.says));
        CHECK(problems[0].find("hunter2") == std::string::npos);
    }
}

TEST_CASE("load_config reports all problems at once, those of every source", "[worker][config]") {
    const auto problems = problems_of(
        {.yaml = "database: {pool_size: x, nonsense: 1}\nhandlers: {a: {}, b: {exec: x}}\n",
         .environment = {{"DB_ECHO", "perhaps"}},
         .flags = {{"log.level", "loud"}}}
    );
    CHECK(problems.size() == 6);
}

TEST_CASE("load_config survives an anchor that contains itself", "[worker][config]") {
    const auto problems = problems_of({.yaml = "queues: &a {x: *a, y: *a}"});
    REQUIRE_FALSE(problems.empty());
    CHECK(problems[0] == "config.yml:1: the document is too deep or too large");
}

TEST_CASE("load_config leaves foreign and empty variables alone", "[worker][config]") {
    loaded(
        {.environment =
             {
                 {"TASK_WORKER_SERVICE_HOST", "10.0.0.1"},
                 {"TASK_WORKER_PORT", "tcp://10.0.0.1:8090"},
                 {"TASK_WORKER_HTTP_SERVICE_HOST", "10.0.0.1"},
                 {"TASK_WORKER_HTTP_PORT_8090_TCP", "x"},
                 {"DATABASE_URL", ""},
                 {"DB_HOST", "the API's own"},
             }}
    );
}

TEST_CASE("load_config wants config.yml only when --config names it", "[worker][config]") {
    const tests::TemporaryFolder folder;
    CHECK(load_config({.folder = folder.path()}).problems.empty());
    const LoadedConfig missing = load_config({.file = "mine.yml", .folder = folder.path()});
    REQUIRE(missing.problems.size() == 1);
    CHECK_THAT(describe(missing.problems[0]), Catch::StartsWith("mine.yml: cannot be read"));
    folder.write("mine.yml", "log: {level: warn}");
    CHECK(load_config({.file = folder.path() + "/mine.yml"}).config.log.level == LogLevel::warn);
}

TEST_CASE("load_config prefers secrets in files over environment variables", "[worker][config]") {
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

TEST_CASE("load_config notes what it ignores of a shared URL", "[worker][config]") {
    const auto notes =
        load({.environment = {{"DATABASE_URL", "postgresql+asyncpg://u@db/j?prepared_statement_cache_size=0"}}}).notes;
    REQUIRE(notes.size() == 1);
    CHECK_THAT(notes[0], Catch::StartsWith("database.url: prepared_statement_cache_size"));
}

TEST_CASE("environment_name keeps the names that other tools use", "[worker][config]") {
    CHECK(environment_name("database.url") == "DATABASE_URL");
    CHECK(environment_name("database.url_file") == "DATABASE_URL_FILE");
    CHECK(environment_name("database.direct_url") == "DATABASE_DIRECT_URL");
    CHECK(environment_name("database.password_file") == "DB_PASSWORD_FILE");
    CHECK(environment_name("database.max_overflow") == "DB_MAX_OVERFLOW");
    CHECK(environment_name("worker.lease_timeout") == "TASK_WORKER_WORKER_LEASE_TIMEOUT");
    CHECK(environment_name("environment") == "ENVIRONMENT");
}

TEST_CASE("the shipped config.yml says the defaults and nothing else", "[worker][config]") {
    const std::string shipped = read(source_folder + "/config.yml");
    const LoadedConfig plain = load({.yaml = shipped});
    CHECK(plain.problems.empty());
    CHECK(plain.config.handlers.contains("count-words"));
    CHECK(plain.config.handlers.at("count-words").exec.cwd == plain.config.folder);

    const LoadedConfig spoken = load({.yaml = std::regex_replace(shipped, std::regex("#([a-z_]+:)"), "$1")});
    for (const Problem& problem : spoken.problems) UNSCOPED_INFO(describe(problem));
    REQUIRE(spoken.problems.empty());
    const auto defaults = load({});
    for (const Key<Config>& key : config_keys()) {
        INFO(key.name);
        CHECK(setting(spoken, key.name).value == setting(defaults, key.name).value);
        const std::string word = key.name.substr(key.name.rfind('.') + 1);
        CHECK(std::regex_search(shipped, std::regex("\n *#" + word + ":")));
    }
    const HandlerConfig& handler = spoken.config.handlers.at("count-words");
    for (const Key<HandlerConfig>& key : handler_keys()) {
        if (key.name == "exec" || key.name == "cwd") continue;
        INFO(key.name);
        CHECK(key.show(handler) == key.show(HandlerConfig{}));
    }
}

TEST_CASE("docs/config.schema.json is current", "[worker][config][golden]") {
    tests::check_golden("docs/config.schema.json", config_schema());
}

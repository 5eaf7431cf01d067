#include "worker/config.hpp"

#include "tests/support/config_given.hpp"
#include "worker/config_keys.hpp"
#include "worker/direct_connection.hpp"

using namespace worker;
using namespace tests;
using namespace std::chrono_literals;

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
  resident: {exec: [python3, stay.py], mode: stream}
  receipt: {http: "https://api.internal:8443/jobs/receipt?v=1"}
  slow: {http: "http://[::1]/slow", timeout: 1h, backoff: {policy: list, delays: [1s, 5, 1m], jitter: 0}}
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
    CHECK(thumbnail.exec.mode == jobs::ExecMode::process);
    CHECK(config.handlers.at("resident").exec.mode == jobs::ExecMode::stream);
    CHECK(config.handlers.at("receipt").http.url == "https://api.internal:8443/jobs/receipt?v=1");
    CHECK(config.handlers.at("receipt").http.result_limit == 1'024);
    CHECK(config.handlers.at("receipt").policy.timeout == 60s);  // a server that hangs must not hold a slot for ever
    CHECK(config.handlers.at("slow").policy.timeout == 1h);
    CHECK(config.handlers.at("slow").policy.backoff.policy == queue::BackoffPolicy::list);
    CHECK(config.handlers.at("slow").policy.backoff.delays == std::vector<std::chrono::milliseconds>{1s, 5s, 1min});
    CHECK(config.handlers.at("other").exec.cwd == "/srv");
    CHECK(config.handlers.at("other").exec.output_limit == 1'048'576);
}

TEST_CASE("load_config reads the files of an http handler, from the folder of config.yml", "[worker][config]") {
    const TemporaryFolder folder;
    folder.write("secret", "whsec_" + std::string(32, 'A') + "\n");
    folder.write("authority.pem", "");
    folder.write("config.yml", "handlers: {x: {http: 'https://h/', secret_file: secret, ca_file: authority.pem}}");
    const LoadedConfig result = load_config({.folder = folder.path()});
    CHECK(result.problems.empty());
    const jobs::HttpSpec& http = result.config.handlers.at("x").http;
    CHECK(http.keys == std::vector<std::string>{std::string(24, '\0')});
    CHECK(http.ca_file == folder.path() + "/authority.pem");
    CHECK(setting(result, "handlers.x.secret_file").value == "secret");
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

TEST_CASE("load_config takes the URL's connect_timeout for each attempt to connect", "[worker][config]") {
    CHECK(loaded({}).database.connection.connect_timeout == 10s);
    const std::string url = "postgresql://u@db/j?connect_timeout=";
    CHECK(loaded({.environment = {{"DATABASE_URL", url + "3"}}}).database.connection.connect_timeout == 3s);
    const auto problems = problems_of({.environment = {{"DATABASE_URL", url + "soon"}}});
    REQUIRE(problems.size() == 1);
    CHECK_THAT(problems[0], Catch::Contains("connect_timeout is not a whole number of seconds"));
}

TEST_CASE(
    "direct_connection takes direct_url with its own connect_timeout, past the pooler", "[worker][config][setting]"
) {
    Given given{
        .environment = {{"DATABASE_URL", "postgresql://u@db/j?connect_timeout=3"}, {"DB_POOLER", "transaction"}}
    };
    CHECK(direct_connection(loaded(given).database).url == "postgresql://u@db/j?connect_timeout=3");
    CHECK(direct_connection(loaded(given).database).pooler == db::Pooler::transaction);
    given.environment["DATABASE_DIRECT_URL"] = "postgresql://u@direct/j?connect_timeout=7";
    const db::ConnectionSettings direct = direct_connection(loaded(given).database);
    CHECK(direct.url == given.environment["DATABASE_DIRECT_URL"]);
    CHECK(direct.pooler == db::Pooler::none);
    CHECK(direct.connect_timeout == 7s);
    given.environment["DATABASE_DIRECT_URL"] = "postgresql://u@direct/j";
    CHECK(direct_connection(loaded(given).database).connect_timeout == 3s);
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

// Every key of config.yml, one row each: a key that is ignored by either source, or that lands anywhere but in its
// field, fails here, and so does a key without a row.
#include "tests/support/config_given.hpp"
#include "worker/config_keys.hpp"

#include <functional>
#include <set>
#include <string>
#include <vector>

using namespace worker;
using namespace tests;
using namespace std::chrono_literals;

namespace {

struct Row {
    std::string key;
    std::string variable;
    std::string given;
    std::string shown;
    std::function<bool(const Config& c)> is_used;  // the field has what was given
    Given beside{};                                // what the value needs to be valid
};

std::vector<Row> rows(const std::string& folder) {
    const std::string direct = "postgresql://u@d/j";
    const Given with_url{.environment = {{"DATABASE_URL", "postgresql://u@db/j"}}};
    using C = const Config;
    // clang-format off
    return {
        {"environment", "ENVIRONMENT", "test", "test",
         [](C& c) { return c.environment == Environment::test; }, with_url},
        {"migrate_on_start", "TASK_WORKER_MIGRATE_ON_START", "true", "true", [](C& c) { return c.migrate_on_start; }},
        {"allow", "TASK_WORKER_ALLOW", "echo", "echo", [](C& c) { return is_allowed(c, "echo"); }},

        {"database.url", "DATABASE_URL", "postgresql+asyncpg://u:hunter2@db/j", "postgresql://u:***@db/j",
         [](C& c) { return c.database.connection.url == "postgresql://u:hunter2@db/j"; }},
        {"database.url_file", "DATABASE_URL_FILE", folder + "/url", folder + "/url",
         [](C& c) { return c.database.connection.url == "postgresql://filed@db/j"; }},
        {"database.password_file", "DB_PASSWORD_FILE", folder + "/password", folder + "/password",
         [](C& c) { return c.database.connection.url == "postgresql://u:hunter2@db/j"; }, with_url},
        {"database.pooler", "DB_POOLER", "transaction", "transaction",
         [](C& c) { return c.database.connection.pooler == db::Pooler::transaction; }},
        {"database.direct_url", "DATABASE_DIRECT_URL", direct, "***",
         [direct](C& c) { return c.database.direct_url == direct; }},
        {"database.pool_size", "DB_POOL_SIZE", "7", "7", [](C& c) { return c.database.pool.pool_size == 7; }},
        {"database.max_overflow", "DB_MAX_OVERFLOW", "3", "3", [](C& c) { return c.database.pool.max_overflow == 3; }},
        {"database.pool_timeout", "DB_POOL_TIMEOUT", "1500ms", "1500ms",
         [](C& c) { return c.database.pool.pool_timeout == 1500ms; }},
        {"database.pool_recycle", "DB_POOL_RECYCLE", "1800", "30m",
         [](C& c) { return c.database.pool.pool_recycle == 30min; }},
        {"database.pool_pre_ping", "DB_POOL_PRE_PING", "no", "false",
         [](C& c) { return !c.database.pool.pool_pre_ping; }},
        {"database.pre_ping_after", "DB_PRE_PING_AFTER", "2s", "2s",
         [](C& c) { return c.database.pool.pre_ping_after == 2s; }},
        {"database.statement_timeout", "DB_STATEMENT_TIMEOUT", "5m", "5m",
         [](C& c) { return c.database.connection.statement_timeout == 5min; }},
        {"database.echo", "DB_ECHO", "true", "true", [](C& c) { return c.database.echo; }},
        {"database.max_connections", "DB_MAX_CONNECTIONS", "50", "50",
         [](C& c) { return c.database.max_connections == 50; }},
        {"database.other_connections", "DB_OTHER_CONNECTIONS", "40", "40",
         [](C& c) { return c.database.other_connections == 40; }},
        {"database.budget", "DB_BUDGET", "warn", "warn", [](C& c) { return c.database.budget == BudgetMode::warn; }},

        {"worker.threads", "TASK_WORKER_WORKER_THREADS", "777", "777", [](C& c) { return c.worker.threads == 777; }},
        {"worker.concurrency", "TASK_WORKER_WORKER_CONCURRENCY", "7", "7",
         [](C& c) { return c.worker.concurrency == 7; }},
        {"worker.blocking_threads", "TASK_WORKER_WORKER_BLOCKING_THREADS", "7", "7",
         [](C& c) { return c.worker.blocking_threads == 7; }},
        {"worker.prefetch", "TASK_WORKER_WORKER_PREFETCH", "7", "7", [](C& c) { return c.worker.prefetch == 7; }},
        {"worker.queues", "TASK_WORKER_WORKER_QUEUES", "mail", "mail",
         [](C& c) { return c.worker.queues == std::vector<std::string>{"mail"}; }, {.yaml = "queues: {mail: {}}\n"}},
        {"worker.heartbeat", "TASK_WORKER_WORKER_HEARTBEAT", "2s", "2s", [](C& c) { return c.worker.heartbeat == 2s; }},
        {"worker.lease_timeout", "TASK_WORKER_WORKER_LEASE_TIMEOUT", "40s", "40s",
         [](C& c) { return c.worker.lease_timeout == 40s; }},
        {"worker.poll", "TASK_WORKER_WORKER_POLL", "500ms", "500ms", [](C& c) { return c.worker.poll == 500ms; }},
        {"worker.linger", "TASK_WORKER_WORKER_LINGER", "7ms", "7ms", [](C& c) { return c.worker.linger == 7ms; }},

        {"http.listen", "TASK_WORKER_HTTP_LISTEN", "0.0.0.0:7000", "0.0.0.0:7000",
         [](C& c) { return c.listen.host == "0.0.0.0" && c.listen.port == 7000; }},
        {"shutdown.soft", "TASK_WORKER_SHUTDOWN_SOFT", "1m", "1m", [](C& c) { return c.shutdown.soft == 1min; }},
        {"shutdown.hard", "TASK_WORKER_SHUTDOWN_HARD", "7s", "7s", [](C& c) { return c.shutdown.hard == 7s; }},

        {"retention.completed", "TASK_WORKER_RETENTION_COMPLETED", "2h", "2h",
         [](C& c) { return c.retention.completed == 2h; }},
        {"retention.cancelled", "TASK_WORKER_RETENTION_CANCELLED", "2h", "2h",
         [](C& c) { return c.retention.cancelled == 2h; }},
        {"retention.discarded", "TASK_WORKER_RETENTION_DISCARDED", "2h", "2h",
         [](C& c) { return c.retention.discarded == 2h; }},
        {"retention.batches", "TASK_WORKER_RETENTION_BATCHES", "2h", "2h",
         [](C& c) { return c.retention.batches == 2h; }},

        {"limits.args", "TASK_WORKER_LIMITS_ARGS", "2MiB", "2MiB", [](C& c) { return c.limits.args == 2'097'152; }},
        {"limits.result", "TASK_WORKER_LIMITS_RESULT", "1KiB", "1KiB", [](C& c) { return c.limits.result == 1'024; }},
        {"limits.output", "TASK_WORKER_LIMITS_OUTPUT", "1KiB", "1KiB", [](C& c) { return c.limits.output == 1'024; }},
        {"limits.host_connections", "TASK_WORKER_LIMITS_HOST_CONNECTIONS", "7", "7",
         [](C& c) { return c.limits.host_connections == 7; }},
        {"log.level", "TASK_WORKER_LOG_LEVEL", "debug", "debug", [](C& c) { return c.log.level == LogLevel::debug; }},
        {"log.format", "TASK_WORKER_LOG_FORMAT", "json", "json", [](C& c) { return c.log.format == LogFormat::json; }},
        {"log.levels", "TASK_WORKER_LOG_LEVELS", "jobs=debug,database=warn", "jobs=debug,database=warn",
         [](C& c) {
             return c.log.levels ==
                    std::map<Component, LogLevel>{{Component::jobs, LogLevel::debug}, {Component::database, LogLevel::warn}};
         }},
        {"log.file", "TASK_WORKER_LOG_FILE", folder + "/log", folder + "/log",
         [folder](C& c) { return c.log.file == folder + "/log"; }},
    };
    // clang-format on
}

// database.pool_size as a line of config.yml.
std::string yaml_of(const std::string& key, const std::string& value) {
    const std::size_t dot = key.find('.');
    if (dot == std::string::npos) return key + ": '" + value + "'\n";
    return key.substr(0, dot) + ": {" + key.substr(dot + 1) + ": '" + value + "'}\n";
}

template <class Target>
std::set<std::string> names_of(const Keys<Target>& keys) {
    std::set<std::string> names;
    for (const Key<Target>& key : keys) names.insert(key.name);
    return names;
}

}  // namespace

TEST_CASE(
    "every setting is taken from config.yml and from its variable, into the field that is used",
    "[worker][config][setting]"
) {
    const TemporaryFolder folder;
    folder.write("url", "postgresql://filed@db/j\n");
    folder.write("password", "hunter2\n");
    std::set<std::string> tested;
    for (const Row& row : rows(folder.path())) {
        INFO(row.key);
        tested.insert(row.key);
        CHECK_FALSE(row.is_used(loaded(row.beside)));
        const auto check = [&](const Given& given, const std::string& source) {
            const LoadedConfig result = load(given);
            for (const Problem& problem : result.problems) UNSCOPED_INFO(describe(problem));
            CHECK(result.problems.empty());
            CHECK(row.is_used(result.config));
            CHECK(setting(result, row.key).value == row.shown);
            CHECK(setting(result, row.key).source == source);
        };
        Given file = row.beside;
        file.yaml = yaml_of(row.key, row.given) + file.yaml;
        check(file, "config.yml:1");
        Given variable = row.beside;
        variable.environment[row.variable] = row.given;
        check(variable, "environment variable " + row.variable);
    }
    CHECK(tested == names_of(config_keys()));
}

TEST_CASE("every setting of a queue is taken from config.yml", "[worker][config][setting]") {
    struct QueueRow {
        std::string key;
        std::string given;
        std::function<bool(const QueueConfig&)> is_used;
    };
    const QueueRow of_queues[] = {
        {"concurrency", "7", [](const QueueConfig& queue) { return queue.concurrency == 7; }},
        {"paused", "true", [](const QueueConfig& queue) { return queue.paused; }},
    };
    std::set<std::string> tested;
    for (const QueueRow& row : of_queues) {
        INFO(row.key);
        tested.insert(row.key);
        CHECK_FALSE(row.is_used(QueueConfig{}));
        CHECK(row.is_used(loaded({.yaml = "queues: {q: {" + row.key + ": " + row.given + "}}"}).queues.at("q")));
    }
    CHECK(tested == names_of(queue_keys()));
}

TEST_CASE("every setting of a handler is taken from config.yml", "[worker][config][setting]") {
    const TemporaryFolder folder;
    folder.write("secret", "whsec_" + std::string(32, 'A') + "\n");
    folder.write("authority.pem", "");
    const std::string secret = folder.path() + "/secret";
    const std::string authority = folder.path() + "/authority.pem";
    using H = const HandlerConfig;
    const std::string exec = "exec: ['true']";
    const std::string http = "http: 'https://h/'";
    const std::string list = exec + ", backoff: {policy: list, delays: [7s]}";
    struct HandlerRow {
        std::string key;
        std::string handler;  // with the key
        std::function<bool(H&)> is_used;
    };
    // clang-format off
    const HandlerRow of_handlers[] = {
        {"exec", "exec: [a, b]", [](H& h) { return h.exec.command == std::vector<std::string>{"a", "b"}; }},
        {"mode", exec + ", mode: stream", [](H& h) { return h.exec.mode == jobs::ExecMode::stream; }},
        {"http", http, [](H& h) { return h.http.url == "https://h/"; }},
        {"secret_file", http + ", secret_file: '" + secret + "'", [](H& h) { return h.http.keys.size() == 1; }},
        {"ca_file", http + ", ca_file: '" + authority + "'", [&](H& h) { return h.http.ca_file == authority; }},
        {"timeout", exec + ", timeout: 7s", [](H& h) { return h.policy.timeout == 7s; }},
        {"concurrency", exec + ", concurrency: 7", [](H& h) { return h.policy.concurrency == 7; }},
        {"max_attempts", exec + ", max_attempts: 7", [](H& h) { return h.policy.max_attempts == 7; }},
        {"backoff.policy", exec + ", backoff: {policy: fixed}",
         [](H& h) { return h.policy.backoff.policy == queue::BackoffPolicy::fixed; }},
        {"backoff.first", exec + ", backoff: {first: 7s}", [](H& h) { return h.policy.backoff.first == 7s; }},
        {"backoff.cap", exec + ", backoff: {cap: 7s}", [](H& h) { return h.policy.backoff.cap == 7s; }},
        {"backoff.factor", exec + ", backoff: {factor: 7}", [](H& h) { return h.policy.backoff.factor == 7; }},
        {"backoff.power", exec + ", backoff: {policy: polynomial, power: 7}",
         [](H& h) { return h.policy.backoff.power == 7; }},
        {"backoff.delays", list, [](H& h) { return h.policy.backoff.delays == std::vector{7'000ms}; }},
        {"backoff.jitter", exec + ", backoff: {jitter: 0.7}", [](H& h) { return h.policy.backoff.jitter == 0.7; }},
        {"env", exec + ", env: {A: b}", [](H& h) { return h.exec.env.contains("A") && h.exec.env.at("A") == "b"; }},
        {"pass_env", exec + ", pass_env: [A]", [](H& h) { return h.exec.pass_env == std::vector<std::string>{"A"}; }},
        {"cwd", exec + ", cwd: /srv", [](H& h) { return h.exec.cwd == "/srv"; }},
        {"kill_after", exec + ", kill_after: 7s", [](H& h) { return h.exec.kill_after == 7s; }},
        {"limits.memory", exec + ", limits: {memory: 7MiB}", [](H& h) { return h.exec.memory_bytes == 7'340'032U; }},
        {"limits.cpu", exec + ", limits: {cpu: 7s}", [](H& h) { return h.exec.cpu == 7s; }},
        {"limits.output", exec + ", limits: {output: 7KiB}", [](H& h) { return h.exec.output_limit == 7'168; }},
    };
    // clang-format on
    std::set<std::string> tested;
    for (const HandlerRow& row : of_handlers) {
        INFO(row.key);
        tested.insert(row.key);
        CHECK_FALSE(row.is_used(HandlerConfig{}));
        CHECK(row.is_used(loaded({.yaml = "handlers: {k: {" + row.handler + "}}"}).handlers.at("k")));
    }
    CHECK(tested == names_of(handler_keys()));
}

#include "worker/config_keys.hpp"

#include "worker/config_forms.hpp"
#include "worker/config_value.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace worker {

namespace {

using namespace forms;

std::string set_environment(Config& config, const Value& value) {
    const auto* text = std::get_if<std::string>(&value);
    const auto parsed = text == nullptr ? std::nullopt : parse_environment(*text);
    if (!parsed)
        return (text == nullptr ? "" : in_quotes(*text) + " is not ") + std::string("one of dev, test, production");
    config.environment = *parsed;
    return {};
}

Key<Config> environment_key() {
    const TextList words{"dev", "test", "production"};
    Key<Config> key{.name = "environment", .meaning = "In production risky settings are errors", .choices = words};
    key.set = set_environment;
    key.show = [words](const Config& config) { return words[static_cast<std::size_t>(config.environment)]; };
    return key;
}

std::optional<ListenAddress> parse_listen(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) return {};
    const auto port = parse_integer(std::string_view(text).substr(colon + 1));
    std::string host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    if (host == "localhost") host = "127.0.0.1";
    std::array<unsigned char, sizeof(in6_addr)> address{};
    const bool v4 = inet_pton(AF_INET, host.c_str(), address.data()) == 1;
    const bool v6 = text.front() == '[' && inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
    if (!port || *port < 0 || *port > 65'535 || (!v4 && !v6)) return {};
    return ListenAddress{std::move(host), static_cast<int>(*port)};
}

std::string show_listen(const ListenAddress& address) {
    const bool v6 = address.host.find(':') != std::string::npos;
    return v6 ? fmt::format("[{}]:{}", address.host, address.port) : fmt::format("{}:{}", address.host, address.port);
}

const TextList level_words{"trace", "debug", "info", "warn", "error"};
const TextList component_words{
    "worker", "control", "engine", "jobs", "handlers", "maintenance", "database", "endpoints"
};

template <class Enum>
std::optional<Enum> word_of(const TextList& words, std::string_view text) {
    const auto found = std::ranges::find(words, text);
    if (found == words.end()) return {};
    return static_cast<Enum>(found - words.begin());
}

// As names with values, or as the text that a variable can hold: jobs=debug,database=warn.
std::string set_levels(Config& config, const Value& value) {
    constexpr std::string_view shape = "takes components with levels, such as {jobs: debug, database: warn}";
    TextMap pairs;
    if (const auto* given = std::get_if<TextMap>(&value)) pairs = *given;
    if (std::holds_alternative<TextList>(value)) return std::string(shape);
    if (const auto* text = std::get_if<std::string>(&value)) {
        for (const std::string& item : split_list(*text)) {
            const std::size_t equals = item.find('=');
            if (equals == std::string::npos) return std::string(shape) + ", or jobs=debug,database=warn";
            pairs.emplace_back(item.substr(0, equals), item.substr(equals + 1));
        }
    }
    std::map<Component, LogLevel> levels;
    for (const auto& [name, word] : pairs) {
        const auto component = word_of<Component>(component_words, name);
        if (!component) return in_quotes(name) + " is not one of " + join(component_words);
        const auto level = word_of<LogLevel>(level_words, word);
        if (!level) return in_quotes(word) + " is not one of " + join(level_words);
        levels[*component] = *level;
    }
    config.log.levels = std::move(levels);
    return {};
}

Key<Config> levels_key() {
    Key<Config> key{
        .name = "log.levels",
        .form = Form::map,
        .meaning = "Levels of single components, {jobs: debug}: " + join(component_words)
    };
    key.set = set_levels;
    key.show = [](const Config& config) {
        TextList items;
        for (const auto& [component, level] : config.log.levels) {
            items.push_back(
                component_words[static_cast<std::size_t>(component)] + "=" +
                level_words[static_cast<std::size_t>(level)]
            );
        }
        return join(items, ",");
    };
    return key;
}

// clang-format off
Keys<Config> make_config_keys() {
    using C = Config;
    return {
        environment_key(),
        boolean<C>("migrate_on_start", "Migrate the schema when `run` starts",
                   [](auto& c) -> auto& { return c.migrate_on_start; }),
        list<C>("allow", {"echo", "plain_password", "sslmode"}, "Production rules that do not hold",
                [](auto& c) -> auto& { return c.allow; }),

        secret<C>("database.url", "libpq URI, conninfo string or SQLAlchemy URL; empty in dev: the embedded database",
                  [](auto& c) -> auto& { return c.database.connection.url; }),
        text<C>("database.url_file", "File that holds the URL; preferred over url",
                [](auto& c) -> auto& { return c.database.url_file; }),
        text<C>("database.password_file", "File that holds the password; preferred over the URL's",
                [](auto& c) -> auto& { return c.database.password_file; }),
        choice<C>("database.pooler", {"none", "transaction"}, "transaction: behind a PgBouncer in transaction mode",
                  [](auto& c) -> auto& { return c.database.connection.pooler; }),
        secret<C>("database.direct_url", "URL past the pooler, for LISTEN and migrations; empty: url",
                  [](auto& c) -> auto& { return c.database.direct_url; }),
        integer<C>("database.pool_size", {1, 10'000}, "Connections kept",
                   [](auto& c) -> auto& { return c.database.pool.pool_size; }),
        integer<C>("database.max_overflow", {0, 10'000}, "Connections beyond pool_size, closed when returned",
                   [](auto& c) -> auto& { return c.database.pool.max_overflow; }),
        duration<C>("database.pool_timeout", tick, "Longest wait for a session",
                    [](auto& c) -> auto& { return c.database.pool.pool_timeout; }),
        duration<C>("database.pool_recycle", any, "Age at which a connection is replaced; 0: never",
                    [](auto& c) -> auto& { return c.database.pool.pool_recycle; }),
        boolean<C>("database.pool_pre_ping", "Check a connection before lending it",
                   [](auto& c) -> auto& { return c.database.pool.pool_pre_ping; }),
        duration<C>("database.pre_ping_after", any, "Idle time after which the check is a real ping",
                    [](auto& c) -> auto& { return c.database.pool.pre_ping_after; }),
        duration<C>("database.statement_timeout", any, "Longest statement, on the server's side; 0: no limit",
                    [](auto& c) -> auto& { return c.database.connection.statement_timeout; }),
        boolean<C>("database.echo", "Log every statement with its duration, parameters redacted",
                   [](auto& c) -> auto& { return c.database.echo; }),
        integer<C>("database.max_connections", {1, 1'000'000}, "Connections the fleet may take; empty: the server's",
                   [](auto& c) -> auto& { return c.database.max_connections; }),
        integer<C>("database.other_connections", {0, 1'000'000}, "What other services, such as the API, may take",
                   [](auto& c) -> auto& { return c.database.other_connections; }),
        choice<C>("database.budget", {"enforce", "warn"}, "A worker that would overrun: refused, or warned",
                  [](auto& c) -> auto& { return c.database.budget; }),

        integer<C>("worker.threads", {0, 1'024}, "Threads that run the engine; 0: as many as the machine has cores",
                   [](auto& c) -> auto& { return c.worker.threads; }),
        integer<C>("worker.concurrency", {1, 100'000}, "Slots: jobs running at once",
                   [](auto& c) -> auto& { return c.worker.concurrency; }),
        integer<C>("worker.blocking_threads", {1, 10'000}, "Native handlers that block, at once; for others it means nothing",
                   [](auto& c) -> auto& { return c.worker.blocking_threads; }),
        integer<C>("worker.prefetch", {0, 100'000}, "Jobs claimed ahead of the slots, at most",
                   [](auto& c) -> auto& { return c.worker.prefetch; }),
        list<C>("worker.queues", {}, "Queues to serve; empty: all",
                [](auto& c) -> auto& { return c.worker.queues; }),
        duration<C>("worker.heartbeat", tick, "Time between two heartbeats",
                    [](auto& c) -> auto& { return c.worker.heartbeat; }),
        duration<C>("worker.lease_timeout", tick, "Silence after which a worker is declared dead",
                    [](auto& c) -> auto& { return c.worker.lease_timeout; }),
        duration<C>("worker.poll", tick, "Longest pause between two looks at an empty queue; ten times that while notifications arrive",
                    [](auto& c) -> auto& { return c.worker.poll; }),
        duration<C>("worker.linger", any, "How long finished jobs may wait for company; half as long again under load",
                    [](auto& c) -> auto& { return c.worker.linger; }),

        scalar<C>({.name = "http.listen", .meaning = "IP address and port of the endpoints; port 0: any free one"},
                  [](auto& c) -> auto& { return c.listen; }, parse_listen, show_listen,
                  "an IP address with a port, such as 127.0.0.1:8090 or [::1]:8090"),

        duration<C>("shutdown.soft", any, "How long running jobs may finish after SIGTERM",
                    [](auto& c) -> auto& { return c.shutdown.soft; }),
        duration<C>("shutdown.hard", any, "How long handlers that were asked to stop may take",
                    [](auto& c) -> auto& { return c.shutdown.hard; }),

        duration<C>("retention.completed", any, "How long completed jobs are kept; 0: not at all",
                    [](auto& c) -> auto& { return c.retention.completed; }),
        duration<C>("retention.cancelled", any, "How long cancelled jobs are kept; 0: not at all",
                    [](auto& c) -> auto& { return c.retention.cancelled; }),
        duration<C>("retention.discarded", any, "How long dead letters are kept; 0: not at all",
                    [](auto& c) -> auto& { return c.retention.discarded; }),
        duration<C>("retention.batches", any,
                    "How long finished batches are kept, unless their dead letters are kept longer; 0: not at all",
                    [](auto& c) -> auto& { return c.retention.batches; }),

        size<C>("limits.args", 8 * kib, 256 * mib, "Largest args of one job",
                [](auto& c) -> auto& { return c.limits.args; }),
        size<C>("limits.result", 0, 256 * mib, "Largest result of one job",
                [](auto& c) -> auto& { return c.limits.result; }),
        size<C>("limits.output", 0, gib, "Captured log of one job",
                [](auto& c) -> auto& { return c.limits.output; }),
        integer<C>("limits.host_connections", {1, 10'000}, "Connections of all http handlers to one host at once",
                   [](auto& c) -> auto& { return c.limits.host_connections; }),

        choice<C>("log.level", level_words, "Least urgent level that is logged",
                  [](auto& c) -> auto& { return c.log.level; }),
        choice<C>("log.format", {"auto", "text", "json"}, "auto: text on a terminal, else JSON",
                  [](auto& c) -> auto& { return c.log.format; }),
        levels_key(),
        text<C>("log.file", "File for the log, opened anew on SIGHUP; empty: standard error",
                [](auto& c) -> auto& { return c.log.file; }),
    };
}

Keys<QueueConfig> make_queue_keys() {
    using Q = QueueConfig;
    return {
        integer<Q>("concurrency", {0, 100'000}, "Jobs of the queue at once in one worker; 0: no limit of its own",
                   [](auto& q) -> auto& { return q.concurrency; }),
        boolean<Q>("paused", "Claim nothing of this queue",
                   [](auto& q) -> auto& { return q.paused; }),
    };
}

// clang-format on

}  // namespace

const Keys<Config>& config_keys() {
    static const Keys<Config> keys = make_config_keys();
    return keys;
}

const Keys<QueueConfig>& queue_keys() {
    static const Keys<QueueConfig> keys = make_queue_keys();
    return keys;
}

std::string environment_name(const std::string& key) {
    std::string name = key;
    std::ranges::transform(name, name.begin(), [](char c) {
        return c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    if (key == "environment" || key == "database.url" || key == "database.url_file" || key == "database.direct_url") {
        return name;
    }
    if (key.starts_with("database.")) return "DB_" + name.substr(std::string_view("DATABASE_").size());
    return "TASK_WORKER_" + name;
}

std::optional<Environment> parse_environment(std::string_view text) {
    if (text == "dev" || text == "development") return Environment::dev;
    if (text == "test") return Environment::test;
    if (text == "production" || text == "prod") return Environment::production;
    return {};
}

bool is_allowed(const Config& config, std::string_view rule) {
    return std::ranges::find(config.allow, rule) != config.allow.end();
}

}  // namespace worker

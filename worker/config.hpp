#pragma once

// The configuration: plain data with its defaults, and how it is put together from flags, environment, .env and
// config.yml, in this order of precedence. worker/config_keys*.cpp are the one list of keys.

#include "db/settings.hpp"
#include "jobs/exec_spec.hpp"
#include "jobs/handler.hpp"
#include "jobs/http_spec.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace worker {

enum class Environment { dev, test, production };
enum class BudgetMode { enforce, warn };
enum class LogLevel { trace, debug, info, warn, error };
// Who writes a line of the log.
enum class Component { worker, control, engine, jobs, handlers, maintenance, database, endpoints };
enum class LogFormat { automatic, text, json };  // automatic: text on a terminal, else JSON

struct DatabaseConfig {
    db::ConnectionSettings connection;  // an empty url: the embedded database
    db::PoolSettings pool;
    std::string shown_url;  // the URL without its password, for people
    std::string url_file;
    std::string password_file;
    std::string direct_url;  // normalised; empty: the same as connection.url
    bool echo = false;
    std::optional<int> max_connections;  // empty: the server's
    int other_connections = 0;
    BudgetMode budget = BudgetMode::enforce;
};

struct WorkerConfig {
    int threads = 0;  // 0 in the sources means as many as the machine has cores; load_config answers the number
    int concurrency = 10;
    int blocking_threads = 4;
    int prefetch = 32'000;
    std::vector<std::string> queues;  // empty: all
    std::chrono::milliseconds heartbeat{5'000};
    std::chrono::milliseconds lease_timeout{30'000};
    std::chrono::milliseconds poll{1'000};
    std::chrono::milliseconds linger{5};
};

struct ListenAddress {
    std::string host = "127.0.0.1";  // an IP address
    int port = 8090;                 // 0: any free one
};

struct ShutdownConfig {
    std::chrono::milliseconds soft{20'000};
    std::chrono::milliseconds hard{5'000};
};

struct RetentionConfig {  // 0 keeps nothing
    std::chrono::seconds completed{86'400};
    std::chrono::seconds cancelled{86'400};
    std::chrono::seconds discarded{30 * 86'400};
    std::chrono::seconds batches{7 * 86'400};
};

struct LimitsConfig {  // bytes, but for the last
    std::size_t args = std::size_t{1024} * 1024;
    std::size_t result = std::size_t{64} * 1024;
    std::size_t output = std::size_t{256} * 1024;
    int host_connections = 64;  // to one host at once, of all http handlers together
};

struct QueueConfig {
    int concurrency = 0;  // jobs of the queue at once in this process; 0: no limit of its own
    bool paused = false;
};

struct HandlerConfig {    // exec or http
    jobs::ExecSpec exec;  // complete: cwd, output and result limits are filled in
    jobs::HttpSpec http;  // complete: keys, ca_file and result limit are filled in
    jobs::KindPolicy policy;
    std::optional<std::size_t> output;  // the handler's own limit, as given
    std::string secret_file;            // of the keys, as given
};
inline constexpr std::chrono::seconds http_timeout{60};  // of an http handler that gives none

struct LogConfig {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::automatic;
    std::map<Component, LogLevel> levels{};  // of those that have another one than `level`
    std::string file{};                      // as given; empty: standard error
};

struct Config {
    Environment environment = Environment::dev;
    bool migrate_on_start = false;
    std::vector<std::string> allow;  // production rules that do not hold: echo, plain_password, sslmode
    DatabaseConfig database;
    WorkerConfig worker;
    ListenAddress listen;
    ShutdownConfig shutdown;
    RetentionConfig retention;
    LimitsConfig limits;
    LogConfig log;
    std::map<std::string, QueueConfig> queues{{"default", {}}};
    std::map<std::string, HandlerConfig> handlers;  // by kind
    std::string folder;                             // of config.yml, absolute: relative paths start here
};

// One thing wrong with the configuration.
struct Problem {
    std::string key;    // database.pool_size; empty when a file as a whole is at fault
    std::string place;  // config.yml:12, environment variable DB_POOL_SIZE, ...; empty for a rule over several keys
    std::string text;   // the bad value, never a secret, and the way out
};
std::string describe(const Problem& problem);

// One value in force and where it came from, for `check`.
struct Setting {
    std::string key;
    std::string value;   // as config.yml would say it; secrets are ***
    std::string source;  // default, config.yml:12, environment variable DB_POOL_SIZE, ...
};

struct ConfigRequest {
    std::string file{};                          // --config; empty: config.yml in `folder`, when there is one
    std::string folder{};                        // where to look for it; empty: the working directory
    std::map<std::string, std::string> flags{};  // by dotted key
    std::map<std::string, std::string> environment{};
};

struct LoadedConfig {
    Config config;  // of use only without problems
    std::vector<Problem> problems;
    std::vector<std::string> notes;  // harmless, worth a line in the log
    std::vector<Setting> settings;   // every key of the tables, then what queues and handlers say
};

// Reads and checks everything, and answers every problem at once. Reads config.yml, in development the .env beside it,
// and the files that url_file and password_file name; nothing else.
LoadedConfig load_config(const ConfigRequest& request);

// The variables of this process.
std::map<std::string, std::string> process_environment();

// The JSON Schema of config.yml, as docs/config.schema.json ships it.
std::string config_schema();

}  // namespace worker

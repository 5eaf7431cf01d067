#include "db/url.hpp"
#include "jobs/http_signature.hpp"
#include "worker/config_keys.hpp"
#include "worker/config_sources.hpp"
#include "worker/config_value.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <string_view>
#include <thread>

namespace worker {

namespace {

bool is_from_file(const Draft& draft, const std::string& key) {
    return draft.place_of(key).starts_with("file ");
}

bool is_from_command_line(const Draft& draft, const std::string& key) {
    return draft.place_of(key) == "command line";
}

// config.yml:12 and the like: neither an environment variable, nor a secret's file, nor the command line.
bool is_written_in_config(const Draft& draft, const std::string& key) {
    const std::string place = draft.place_of(key);
    return !place.empty() && !place.starts_with("environment variable ") && !place.starts_with(".env:") &&
           !is_from_file(draft, key) && !is_from_command_line(draft, key);
}

// The secret in a file that a key names, without the line's end that editors add. Empty: none, or reported.
std::optional<std::string> read_secret(
    Draft& draft, const std::string& key, const std::string& path, const std::string& way_out = {}
) {
    if (path.empty()) return {};
    const std::filesystem::path whole = std::filesystem::path(draft.loaded.config.folder) / path;
    std::optional<std::string> text = read_text_file(whole.string());
    if (text) text->erase(text->find_last_not_of("\r\n") + 1);
    if (text && !text->empty()) return text;
    draft.report(key, draft.place_of(key), in_quotes(path) + (text ? " is empty" : " cannot be read") + way_out);
    return {};
}

void read_url_file(Draft& draft) {
    DatabaseConfig& database = draft.loaded.config.database;
    if (is_from_command_line(draft, "database.url") && !is_from_command_line(draft, "database.url_file")) return;
    if (const auto url = read_secret(draft, "database.url_file", database.url_file)) {
        database.connection.url = *url;
        draft.places["database.url"] = "file " + database.url_file + " (" + draft.place_of("database.url_file") + ")";
    }
}

void check_production_url(Draft& draft, const std::string& key, const db::Url& given, const db::Url& used) {
    const Config& config = draft.loaded.config;
    if (config.environment != Environment::production) return;
    const std::string place = draft.place_of(key);
    if (given.has_password && is_written_in_config(draft, key) && !is_allowed(config, "plain_password")) {
        draft.report(
            key,
            place,
            "a password in config.yml is an error in production; use database.password_file, database.url_file or "
            "an environment variable, or permit it with allow: [plain_password]"
        );
    }
    if (used.uses_tcp() && !used.verifies_server() && !is_allowed(config, "sslmode")) {
        draft.report(
            key,
            place,
            "sslmode is " + used.sslmode +
                "; over TCP production needs sslmode=verify-full, or permit less with allow: [sslmode]"
        );
    }
}

// Replaces `text` by the normalised URL, with the password of password_file.
std::string normalise(
    Draft& draft, const std::string& key, std::string& text, const std::optional<std::string>& password
) {
    if (text.empty()) return {};
    const auto given = db::parse_url(text);
    if (!given) {
        draft.report(key, draft.place_of(key), given.error().what);
        return {};
    }
    for (const std::string& ignored : given->ignored) {
        draft.loaded.notes.push_back(key + ": " + ignored + " is the Python driver's own and is ignored");
    }
    const auto used = password ? db::with_password(*given, *password) : given;
    if (!used) {
        draft.report(key, draft.place_of(key), used.error().what);
        return {};
    }
    check_production_url(draft, key, *given, *used);
    text = used->text;
    return used->shown;
}

void check_database(Draft& draft) {
    Config& config = draft.loaded.config;
    DatabaseConfig& database = config.database;
    read_url_file(draft);
    const auto password = read_secret(draft, "database.password_file", database.password_file);
    if (database.connection.url.empty() && config.environment != Environment::dev && database.url_file.empty()) {
        draft.report(
            "database.url", "", "is missing; only dev has an embedded database. Set DATABASE_URL, or database.url_file"
        );
    }
    if (database.connection.url.empty() && password && config.environment == Environment::dev) {
        draft.report("database.password_file", draft.place_of("database.password_file"), "needs a database.url");
    }
    database.shown_url = normalise(draft, "database.url", database.connection.url, password);
    if (const auto url = db::parse_url(database.connection.url); url && url->connect_timeout.count() > 0) {
        database.connection.connect_timeout = url->connect_timeout;
    }
    normalise(draft, "database.direct_url", database.direct_url, password);
    if (config.environment == Environment::production && database.echo && !is_allowed(config, "echo")) {
        draft.report(
            "database.echo",
            draft.place_of("database.echo"),
            "true is an error in production; leave it away, or permit it with allow: [echo]"
        );
    }
}

void check_worker(Draft& draft) {
    const Config& config = draft.loaded.config;
    if (config.worker.heartbeat * 3 > config.worker.lease_timeout) {
        draft.report(
            "worker.lease_timeout",
            draft.place_of("worker.lease_timeout"),
            show_duration(config.worker.lease_timeout) + " is less than three times worker.heartbeat (" +
                show_duration(config.worker.heartbeat) + "): one late heartbeat would look like death"
        );
    }
    std::vector<std::string> declared;
    for (const auto& [name, queue] : config.queues) declared.push_back(name);
    for (const std::string& name : config.worker.queues) {
        if (config.queues.contains(name)) continue;
        const std::string likely = nearest(name, declared);
        draft.report(
            "worker.queues",
            draft.place_of("worker.queues"),
            in_quotes(name) + " is not declared under queues" +
                (likely.empty() ? "; declared: " + join(declared) : "; did you mean " + likely + "?")
        );
    }
}

// Keys that mean something for one sort of handler only.
constexpr std::array<std::string_view, 8> exec_keys{
    "mode", "env", "pass_env", "cwd", "kill_after", "limits.memory", "limits.cpu", "limits.output"
};
constexpr std::array<std::string_view, 2> http_keys{"secret_file", "ca_file"};

void refuse_keys(
    Draft& draft, const std::string& name, std::span<const std::string_view> keys, const std::string& why
) {
    for (const std::string_view key : keys) {
        const std::string full = name + "." + std::string(key);
        const std::string place = draft.place_of(full);
        if (!place.empty()) draft.report(full, place, why);
    }
}

void check_sort(Draft& draft, const std::string& name, const HandlerConfig& handler) {
    const bool is_exec = !handler.exec.command.empty();
    const bool is_http = !handler.http.url.empty();
    const bool tried = std::ranges::any_of(draft.loaded.problems, [&](const Problem& problem) {
        return problem.key == name + ".exec" || problem.key == name + ".http";
    });
    if (is_exec && is_http) {
        draft.report(name, draft.place_of(name), "has exec and http; a kind has one handler");
    } else if (!is_exec && !is_http && !tried) {
        draft.report(name, draft.place_of(name), "needs exec: [program, argument, ...] or http: URL");
    } else if (is_http) {
        refuse_keys(draft, name, exec_keys, "belongs to exec handlers");
    } else if (is_exec) {
        refuse_keys(draft, name, http_keys, "belongs to http handlers");
    }
}

// From the folder of config.yml.
std::string whole_path(const Config& config, const std::string& path) {
    return (std::filesystem::path(config.folder) / path).lexically_normal().string();
}

void complete_http(Draft& draft, const std::string& name, HandlerConfig& handler) {
    const Config& config = draft.loaded.config;
    jobs::HttpSpec& http = handler.http;
    http.result_limit = config.limits.result;
    if (!handler.policy.timeout) handler.policy.timeout = http_timeout;
    if (!http.ca_file.empty()) {
        const std::string file = whole_path(config, http.ca_file);
        if (!read_text_file(file)) {
            draft.report(
                name + ".ca_file", draft.place_of(name + ".ca_file"), in_quotes(http.ca_file) + " cannot be read"
            );
        }
        http.ca_file = file;
    }
    const std::string key = name + ".secret_file";
    if (const auto secrets = read_secret(
            draft, key, handler.secret_file, "; make one with: openssl rand -base64 32 >" + handler.secret_file
        )) {
        auto keys = jobs::read_signing_keys(*secrets);
        if (keys) {
            http.keys = std::move(*keys);
        } else {
            draft.report(key, draft.place_of(key), in_quotes(handler.secret_file) + ", " + keys.error().text);
        }
    }
}

void check_backoff(Draft& draft, const std::string& name, const jobs::Backoff& backoff) {
    const bool is_list = backoff.policy == queue::BackoffPolicy::list;
    const std::string list = name + ".backoff.delays";
    const bool tried = std::ranges::find(draft.loaded.problems, list, &Problem::key) != draft.loaded.problems.end();
    if (is_list && backoff.delays.empty() && !tried) {
        const std::string place = draft.place_of(name + ".backoff.policy");
        draft.report(list, place, "is missing; policy list needs delays: [1s, 30s, 5m]");
    }
    if (!is_list && !backoff.delays.empty()) draft.report(list, draft.place_of(list), "needs policy: list");
    if (backoff.first <= backoff.cap) return;
    const std::string cap = name + ".backoff.cap";
    const std::string place =
        draft.place_of(cap).empty() ? draft.place_of(name + ".backoff.first") : draft.place_of(cap);
    draft.report(
        cap, place, show_duration(backoff.cap) + " is less than backoff.first, " + show_duration(backoff.first)
    );
}

void complete_handler(Draft& draft, const std::string& kind, HandlerConfig& handler) {
    const Config& config = draft.loaded.config;
    const std::string name = "handlers." + kind;
    check_sort(draft, name, handler);
    check_backoff(draft, name, handler.policy.backoff);
    if (!handler.http.url.empty()) complete_http(draft, name, handler);
    handler.exec.cwd = whole_path(config, handler.exec.cwd);
    if (handler.exec.cwd.size() > 1 && handler.exec.cwd.ends_with('/')) handler.exec.cwd.pop_back();
    handler.exec.output_limit = handler.output.value_or(config.limits.output);
    handler.exec.result_limit = config.limits.result;
}

}  // namespace

void check_config(Draft& draft) {
    Config& config = draft.loaded.config;
    if (config.worker.threads == 0) {
        config.worker.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    }
    if (!config.log.file.empty()) config.log.file = whole_path(config, config.log.file);
    check_database(draft);
    check_worker(draft);
    for (auto& [kind, handler] : config.handlers) complete_handler(draft, kind, handler);
}

}  // namespace worker

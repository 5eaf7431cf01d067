// The keys below handlers.<kind>.
#include "worker/config_forms.hpp"
#include "worker/config_keys.hpp"
#include "worker/config_value.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace worker {

namespace {

using namespace forms;

std::string set_command(HandlerConfig& handler, const Value& value) {
    if (std::holds_alternative<std::string>(value)) {
        return "is one text; write a list, [program, argument, ...]: no shell takes it apart";
    }
    const auto* items = std::get_if<TextList>(&value);
    if (items == nullptr || items->empty() || items->front().empty()) {
        return "takes a list with a program and its arguments, [program, argument, ...]";
    }
    handler.exec.command = *items;
    return {};
}

Key<HandlerConfig> command_key() {
    Key<HandlerConfig> key{
        .name = "exec", .form = Form::list, .meaning = "Program and arguments, never through a shell"
    };
    key.minimum = 1;
    key.set = set_command;
    key.show = [](const HandlerConfig& handler) { return join(handler.exec.command, " "); };
    return key;
}

Key<HandlerConfig> env_key() {
    Key<HandlerConfig> key{.name = "env", .form = Form::map, .meaning = "Variables set for the program"};
    key.set = [](HandlerConfig& handler, const Value& value) -> std::string {
        const auto* pairs = std::get_if<TextMap>(&value);
        if (pairs == nullptr) return "takes names with values, {NAME: value}";
        for (const auto& [name, text] : *pairs) {
            if (name.empty() || name.find('=') != std::string::npos)
                return in_quotes(name) + " is not a variable's name";
        }
        handler.exec.env = {pairs->begin(), pairs->end()};
        return {};
    };
    key.show = [](const HandlerConfig& handler) {  // values may be secrets
        TextList names;
        for (const auto& [name, value] : handler.exec.env) names.push_back(name + "=***");
        return join(names);
    };
    return key;
}

Key<HandlerConfig> delays_key() {
    Key<HandlerConfig> key{
        .name = "backoff.delays", .form = Form::list, .meaning = "list: the delays one after the other; the last stays"
    };
    key.set = [](HandlerConfig& handler, const Value& value) -> std::string {
        const auto* items = std::get_if<TextList>(&value);
        if (items == nullptr) return "takes a list of durations, such as [1s, 30s, 5m]";
        std::vector<std::chrono::milliseconds> delays;
        for (const std::string& item : *items) {
            const auto delay = parse_duration(item);
            if (!delay) return in_quotes(item) + " is not a duration, such as 500ms, 30s, 5m";
            delays.push_back(*delay);
        }
        handler.policy.backoff.delays = std::move(delays);
        return {};
    };
    key.show = [](const HandlerConfig& handler) {
        TextList delays;
        for (const auto delay : handler.policy.backoff.delays) delays.push_back(show_duration(delay));
        return join(delays);
    };
    return key;
}

// clang-format off
Keys<HandlerConfig> make_handler_keys() {
    using H = HandlerConfig;
    return {
        command_key(),
        choice<H>("mode", {"process", "stream"}, "stream: the program lives on and takes a job per line",
                  [](auto& h) -> auto& { return h.exec.mode; }),
        url<H>("http", "URL that is called with a POST for each job", [](auto& h) -> auto& { return h.http.url; }),
        text<H>("secret_file", "File with the secrets that sign the calls, one a line: openssl rand -base64 32",
                [](auto& h) -> auto& { return h.secret_file; }),
        text<H>("ca_file", "PEM file of the authorities to trust instead of the system's",
                [](auto& h) -> auto& { return h.http.ca_file; }),
        duration<H>("timeout", tick, "Longest attempt; empty: no limit for exec, 60s for http",
                    [](auto& h) -> auto& { return h.policy.timeout; }),
        integer<H>("concurrency", {0, 100'000}, "Jobs of the kind at once in one worker; 0: no limit of its own",
                   [](auto& h) -> auto& { return h.policy.concurrency; }),
        integer<H>("max_attempts", {1, 32'767}, "Attempts before the discard; empty: the job's own",
                   [](auto& h) -> auto& { return h.policy.max_attempts; }),
        choice<H>("backoff.policy", {"exponential", "polynomial", "fixed", "list"}, "How the delays grow",
                  [](auto& h) -> auto& { return h.policy.backoff.policy; }),
        duration<H>("backoff.first", tick, "Delay before the second attempt; every one of policy fixed",
                    [](auto& h) -> auto& { return h.policy.backoff.first; }),
        duration<H>("backoff.cap", tick, "Longest delay",
                    [](auto& h) -> auto& { return h.policy.backoff.cap; }),
        real<H>("backoff.factor", {1, 1'000}, "exponential: growth of the delay from attempt to attempt",
                [](auto& h) -> auto& { return h.policy.backoff.factor; }),
        real<H>("backoff.power", {1, 10}, "polynomial: the delay is first times the attempt to this power",
                [](auto& h) -> auto& { return h.policy.backoff.power; }),
        delays_key(),
        real<H>("backoff.jitter", {0, 1}, "Share of the delay by which it varies, either way",
                [](auto& h) -> auto& { return h.policy.backoff.jitter; }),
        env_key(),
        list<H>("pass_env", {}, "Names of the worker's own variables that the program may see",
                [](auto& h) -> auto& { return h.exec.pass_env; }),
        text<H>("cwd", "Working directory of the program, from the folder of config.yml",
                [](auto& h) -> auto& { return h.exec.cwd; }),
        duration<H>("kill_after", any, "Time between SIGTERM and SIGKILL",
                    [](auto& h) -> auto& { return h.exec.kill_after; }),
        size<H>("limits.memory", mib, 1'024 * gib, "Address space of the program",
                [](auto& h) -> auto& { return h.exec.memory_bytes; }),
        duration<H>("limits.cpu", second, "Processor time of one attempt",
                    [](auto& h) -> auto& { return h.exec.cpu; }),
        size<H>("limits.output", 0, gib, "Captured log of one job; empty: limits.output",
                [](auto& h) -> auto& { return h.output; }),
    };
}
// clang-format on

}  // namespace

const Keys<HandlerConfig>& handler_keys() {
    static const Keys<HandlerConfig> keys = make_handler_keys();
    return keys;
}

}  // namespace worker

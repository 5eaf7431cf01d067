#include "worker/registry.hpp"

#include "jobs/builtin.hpp"
#include "jobs/exec.hpp"
#include "jobs/http.hpp"
#include "jobs/stream.hpp"
#include "worker/version.hpp"

#include <algorithm>
#include <utility>

namespace worker {

namespace {

std::shared_ptr<jobs::HttpClient> make_client(const Config& config) {
    return std::make_shared<jobs::HttpClient>(jobs::HttpClientSettings{
        .host_connections = config.limits.host_connections,
        .user_agent = "task-worker/" + std::string(version),
    });
}

jobs::Kind make_http_kind(jobs::Kind kind, const HandlerConfig& handler, std::shared_ptr<jobs::HttpClient> client) {
    const auto counters = std::make_shared<jobs::HttpCounters>();
    kind.http = counters;
    kind.handler = jobs::make_http_handler(handler.http, std::move(client), counters);
    return kind;
}

jobs::Kind make_exec_kind(jobs::Kind kind, const HandlerConfig& handler) {
    const auto programs = std::make_shared<jobs::ProgramCounters>();
    kind.programs = programs;
    if (handler.exec.mode == jobs::ExecMode::stream) {
        auto [run, close] = jobs::make_stream_handler(handler.exec, programs);
        kind.handler = std::move(run);
        kind.close = std::move(close);
    } else {
        kind.handler = jobs::make_exec_handler(handler.exec, programs);
    }
    return kind;
}

void add_missing(jobs::Registry& registry, const jobs::Registry& others) {
    for (const std::string& kind : others.names()) {
        if (registry.find(kind) == nullptr) registry.add(*others.find(kind));
    }
}

// Those of the program itself, its own before the built-in ones.
jobs::Registry make_natives(const AddKinds& add_natives, const NativeTools& tools) {
    jobs::Registry natives;
    if (add_natives) add_natives(natives, tools);
    jobs::Registry builtin;
    jobs::add_builtin_kinds(builtin);
    add_missing(natives, builtin);
    return natives;
}

}  // namespace

jobs::Registry make_registry(const Config& config, const AddKinds& add_natives, const NativeTools& tools) {
    jobs::Registry registry;
    std::shared_ptr<jobs::HttpClient> client;  // one for all, for the sake of the limit on connections to one host
    for (const auto& [name, handler] : config.handlers) {
        jobs::Kind kind{.name = name, .handler = {}, .policy = handler.policy};
        if (handler.http.url.empty()) {
            registry.add(make_exec_kind(std::move(kind), handler));
            continue;
        }
        if (!client) client = make_client(config);
        registry.add(make_http_kind(std::move(kind), handler, client));
    }
    add_missing(registry, make_natives(add_natives, tools));
    return registry;
}

std::vector<std::string> kind_names(const Config& config, const AddKinds& add_natives) {
    jobs::BlockingThreads none(1);
    std::vector<std::string> names = make_natives(add_natives, {none}).names();
    for (const auto& [name, handler] : config.handlers) {
        if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
    return names;
}

std::optional<jobs::KindPolicy> find_policy(
    const Config& config, const AddKinds& add_natives, const std::string& kind
) {
    const auto handler = config.handlers.find(kind);
    if (handler != config.handlers.end()) return handler->second.policy;
    jobs::BlockingThreads none(1);
    const jobs::Registry natives = make_natives(add_natives, {none});
    const jobs::Kind* native = natives.find(kind);
    return native == nullptr ? std::nullopt : std::optional(native->policy);
}

std::vector<HandlerSnapshot> handler_snapshots(const jobs::Registry& registry) {
    std::vector<HandlerSnapshot> snapshots;
    for (const std::string& name : registry.names()) {
        HandlerSnapshot& snapshot = snapshots.emplace_back(HandlerSnapshot{.kind = name});
        const jobs::Kind& kind = *registry.find(name);
        if (kind.http) {
            snapshot.http.emplace().connections = kind.http->connections;
            std::ranges::copy(kind.http->answers, snapshot.http->answers.begin());
        }
        if (kind.programs) snapshot.programs = {kind.programs->started, kind.programs->running};
    }
    return snapshots;
}

}  // namespace worker

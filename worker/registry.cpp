#include "worker/registry.hpp"

#include "jobs/builtin.hpp"
#include "jobs/documents/ingest.hpp"
#include "jobs/exec.hpp"
#include "jobs/http.hpp"
#include "jobs/stream.hpp"
#include "worker/version.hpp"

#include <algorithm>
#include <utility>

namespace worker {

namespace {

// One for all, for the sake of the limit on connections to one host; made for the first who wants it.
class SharedClient {
public:
    explicit SharedClient(const Config& config) : config_(config) {}

    std::shared_ptr<jobs::HttpClient> get() {
        if (!client_) {
            client_ = std::make_shared<jobs::HttpClient>(jobs::HttpClientSettings{
                .host_connections = config_.limits.host_connections,
                .user_agent = "task-worker/" + std::string(version),
            });
        }
        return client_;
    }

private:
    const Config& config_;
    std::shared_ptr<jobs::HttpClient> client_;
};

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

void add_ingest_kind(
    jobs::Registry& registry, const DocumentsConfig& config, const NativeTools& tools, SharedClient& client
) {
    if (config.root.empty()) return;
    const bool embeds = !config.embed.url.empty();
    registry.add(jobs::documents::make_ingest_kind(
        {.root = config.root, .file_limit = config.file_limit, .concurrency = config.concurrency, .embed = config.embed
        },
        tools.blocking,
        embeds ? client.get() : nullptr
    ));
}

// Those of the program itself, its own before the built-in ones.
jobs::Registry make_natives(
    const Config& config, const AddKinds& add_natives, const NativeTools& tools, SharedClient& client
) {
    jobs::Registry natives;
    if (add_natives) add_natives(natives, tools);
    jobs::Registry builtin;
    jobs::add_builtin_kinds(builtin);
    add_ingest_kind(builtin, config.documents, tools, client);
    add_missing(natives, builtin);
    return natives;
}

// The same for those who only look.
jobs::Registry look_at_natives(const Config& config, const AddKinds& add_natives) {
    jobs::BlockingThreads none(1);
    SharedClient client(config);
    return make_natives(config, add_natives, {none}, client);
}

}  // namespace

jobs::Registry make_registry(const Config& config, const AddKinds& add_natives, const NativeTools& tools) {
    jobs::Registry registry;
    SharedClient client(config);
    for (const auto& [name, handler] : config.handlers) {
        jobs::Kind kind{.name = name, .handler = {}, .policy = handler.policy};
        if (handler.http.url.empty()) {
            registry.add(make_exec_kind(std::move(kind), handler));
            continue;
        }
        registry.add(make_http_kind(std::move(kind), handler, client.get()));
    }
    add_missing(registry, make_natives(config, add_natives, tools, client));
    return registry;
}

std::vector<std::string> kind_names(const Config& config, const AddKinds& add_natives) {
    std::vector<std::string> names = look_at_natives(config, add_natives).names();
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
    const jobs::Registry natives = look_at_natives(config, add_natives);
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

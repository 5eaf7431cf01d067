#include "worker/config.hpp"

#include "worker/config_keys.hpp"
#include "worker/config_sources.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace worker {

namespace {

namespace fs = std::filesystem;

Environment find_environment(const ConfigRequest& request, const Node& root) {
    const auto flag = request.flags.find("environment");
    const auto variable = request.environment.find("ENVIRONMENT");
    const auto entry = std::ranges::find(root.entries, "environment", &NodeEntry::key);
    std::string text = "dev";
    if (entry != root.entries.end()) text = entry->value.text;
    if (variable != request.environment.end() && !variable->second.empty()) text = variable->second;
    if (flag != request.flags.end()) text = flag->second;
    return parse_environment(text).value_or(Environment::production);  // a wrong word is reported elsewhere
}

template <class Target>
void list_named(
    Draft& draft, const std::string& section, const Keys<Target>& keys, const std::map<std::string, Target>& targets
) {
    for (const auto& [name, target] : targets) {
        for (const Key<Target>& key : keys) {
            const std::string full = section + "." + name + "." + key.name;
            const std::string place = draft.place_of(full);
            if (!place.empty()) draft.loaded.settings.push_back({full, key.show(target), place});
        }
    }
}

void list_settings(Draft& draft) {
    const Config& config = draft.loaded.config;
    for (const Key<Config>& key : config_keys()) {
        const std::string place = draft.place_of(key.name);
        std::string value = key.show(config);
        if (key.name == "database.url" && !config.database.shown_url.empty()) value = config.database.shown_url;
        draft.loaded.settings.push_back({key.name, std::move(value), place.empty() ? "default" : place});
    }
    list_named(draft, "queues", queue_keys(), config.queues);
    list_named(draft, "handlers", handler_keys(), config.handlers);
}

}  // namespace

std::string describe(const Problem& problem) {
    std::string text = problem.place;
    for (const std::string& part : {problem.key, problem.text}) {
        if (!part.empty()) text += (text.empty() ? "" : ": ") + part;
    }
    return text;
}

std::optional<std::string> read_text_file(const std::string& path) {
    std::error_code ignored;
    std::ifstream input(path, std::ios::binary);
    if (!input || fs::is_directory(path, ignored)) return {};
    return std::string(std::istreambuf_iterator<char>(input), {});
}

LoadedConfig load_config(const ConfigRequest& request) {
    Draft draft;
    std::error_code ignored;
    const fs::path folder = request.folder.empty() ? fs::current_path(ignored) : fs::path(request.folder);
    const fs::path file = request.file.empty() ? folder / "config.yml" : folder / request.file;
    const std::string shown = request.file.empty() ? "config.yml" : request.file;
    draft.loaded.config.folder = fs::absolute(file, ignored).parent_path().lexically_normal().string();

    Node root;
    const std::optional<std::string> text = read_text_file(file.string());
    if (text) {
        root = parse_yaml(*text, shown, draft.loaded.problems);
        apply_file(draft, root, shown);
    } else if (!request.file.empty() || fs::exists(file, ignored)) {
        draft.report("", shown, "cannot be read; give another file with --config, or leave it away for the defaults");
    }
    const std::optional<std::string> dotenv = read_text_file((file.parent_path() / ".env").string());
    if (dotenv && find_environment(request, root) == Environment::dev) {
        apply_dotenv(draft, parse_dotenv(*dotenv, ".env", draft.loaded.problems), ".env");
    }
    apply_environment(draft, request.environment);
    apply_flags(draft, request.flags);
    check_config(draft);
    list_settings(draft);
    return std::move(draft.loaded);
}

std::map<std::string, std::string> process_environment() {
    std::map<std::string, std::string> variables;
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
        const std::string_view text(*variable);
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return variables;
}

}  // namespace worker

#include "worker/config_keys.hpp"
#include "worker/config_sources.hpp"
#include "worker/config_value.hpp"

#include <algorithm>

namespace worker {

namespace {

template <class Target>
const Key<Target>* find_key(const Keys<Target>& keys, std::string_view name) {
    const auto found = std::ranges::find(keys, name, &Key<Target>::name);
    return found == keys.end() ? nullptr : &*found;
}

// What may stand directly below `path` (database, or nothing for the top).
template <class Target>
std::vector<std::string> words_below(const Keys<Target>& keys, const std::string& path) {
    std::vector<std::string> words;
    const std::string prefix = path.empty() ? "" : path + ".";
    for (const Key<Target>& key : keys) {
        if (!key.name.starts_with(prefix)) continue;
        const std::string word = key.name.substr(prefix.size(), key.name.find('.', prefix.size()) - prefix.size());
        if (words.empty() || words.back() != word) words.push_back(word);
    }
    return words;
}

std::optional<Value> to_value(const Node& node) {
    if (node.kind == Node::Kind::scalar) return node.text;
    TextList items;
    TextMap pairs;
    for (const NodeEntry& entry : node.entries) {
        if (entry.value.kind != Node::Kind::scalar) return {};
        items.push_back(entry.value.text);
        pairs.emplace_back(entry.key, entry.value.text);
    }
    if (node.kind == Node::Kind::list) return items;
    return pairs;
}

// Reads the keys of one table out of a tree.
template <class Target>
class TreeReader {
public:
    // `shown` stands before the keys' names in messages: "handlers.thumbnail.", or nothing.
    TreeReader(Draft& draft, const Keys<Target>& keys, Target& target, std::string shown, const std::string& file)
        : draft_(draft), keys_(keys), target_(target), shown_(std::move(shown)), file_(file) {}

    void read(const Node& node, const std::string& path = {}) {
        if (node.kind == Node::Kind::null) return;
        if (node.kind != Node::Kind::map) {
            draft_.report(shown_ + path, place(node.line), "takes keys: " + join(words_below(keys_, path)));
            return;
        }
        for (const NodeEntry& entry : node.entries) {
            const std::string name = path.empty() ? entry.key : path + "." + entry.key;
            if (is_handled_elsewhere(name)) continue;
            if (const Key<Target>* key = find_key(keys_, name)) {
                set(*key, entry);
            } else if (!words_below(keys_, name).empty()) {
                read(entry.value, name);
            } else {
                report_unknown(entry, path);
            }
        }
    }

private:
    static bool is_handled_elsewhere(const std::string& name) {
        return std::is_same_v<Target, Config> && (name == "queues" || name == "handlers");
    }

    void set(const Key<Target>& key, const NodeEntry& entry) {
        if (entry.value.kind == Node::Kind::null) return;  // as if it were not there
        const std::optional<Value> value = to_value(entry.value);
        const std::string wrong = value ? key.set(target_, *value) : "takes plain values, nothing nested";
        if (!wrong.empty()) {
            draft_.report(shown_ + key.name, place(entry.line), wrong);
            return;
        }
        draft_.places[shown_ + key.name] = place(entry.line);
    }

    void report_unknown(const NodeEntry& entry, const std::string& path) {
        std::vector<std::string> known = words_below(keys_, path);
        if (std::is_same_v<Target, Config> && path.empty()) known.insert(known.end(), {"queues", "handlers"});
        std::string likely = nearest(entry.key, known);
        for (const Key<Target>& key : keys_) {  // the right word in the wrong section
            if (likely.empty() && key.name.ends_with("." + entry.key)) likely = shown_ + key.name;
        }
        const std::string name = shown_ + (path.empty() ? "" : path + ".") + entry.key;
        const std::string hint = likely.empty() ? "; known here: " + join(known) : "; did you mean " + likely + "?";
        draft_.report(name, place(entry.line), "unknown key" + hint);
    }

    std::string place(int line) const { return file_ + ":" + std::to_string(line); }

    Draft& draft_;
    const Keys<Target>& keys_;
    Target& target_;
    std::string shown_;
    const std::string& file_;
};

// Reads the queues or the handlers: a table of keys for each name.
template <class Target>
void read_named(
    Draft& draft,
    const Node& root,
    const std::string& section,
    const Keys<Target>& keys,
    std::map<std::string, Target>& targets,
    const std::string& file
) {
    const auto found = std::ranges::find(root.entries, section, &NodeEntry::key);
    if (found == root.entries.end() || found->value.kind == Node::Kind::null) return;
    if (found->value.kind != Node::Kind::map) {
        draft.report(section, file + ":" + std::to_string(found->line), "takes names, each with its keys");
        return;
    }
    for (const NodeEntry& entry : found->value.entries) {
        const std::string name = section + "." + entry.key;
        const std::string place = file + ":" + std::to_string(entry.line);
        if (!is_name(entry.key)) {
            draft.report(
                section, place, in_quotes(entry.key) + " is not a name: letters, digits and - _ . : / @, at most 100"
            );
            continue;
        }
        draft.places[name] = place;
        TreeReader<Target>(draft, keys, targets[entry.key], name + ".", file).read(entry.value);
    }
}

void set_text(Draft& draft, const Key<Config>& key, const std::string& text, const std::string& place) {
    if (const std::string wrong = key.set(draft.loaded.config, text); !wrong.empty()) {
        draft.report(key.name, place, wrong);
        return;
    }
    draft.places[key.name] = place;
}

// A variable that looks like ours but is none of ours is a typing error; Kubernetes adds some of its own for a service
// named task-worker-<section>.
void report_unknown_variable(Draft& draft, const std::string& name, const std::string& place) {
    if (name.find("_SERVICE_") != std::string::npos || name.find("_PORT") != std::string::npos) return;
    std::vector<std::string> names;
    bool ours = false;
    for (const Key<Config>& key : config_keys()) {
        names.push_back(environment_name(key.name));
        const std::size_t dot = key.name.find('.');
        if (names.back() == name) return;
        if (dot == std::string::npos) continue;
        const std::string section = environment_name(key.name.substr(0, dot));
        ours = ours || name.starts_with(section + "_");
    }
    if (!ours) return;
    const std::string likely = nearest(name, names);
    draft.report("", place, "unknown variable" + (likely.empty() ? "" : "; did you mean " + likely + "?"));
}

}  // namespace

void apply_file(Draft& draft, const Node& root, const std::string& file) {
    Config& config = draft.loaded.config;
    TreeReader<Config>(draft, config_keys(), config, "", file).read(root);
    read_named(draft, root, "queues", queue_keys(), config.queues, file);
    read_named(draft, root, "handlers", handler_keys(), config.handlers, file);
}

void apply_dotenv(Draft& draft, const std::vector<DotenvLine>& lines, const std::string& file) {
    for (const DotenvLine& line : lines) {
        const std::string place = file + ":" + std::to_string(line.line);
        report_unknown_variable(draft, line.name, place);
        for (const Key<Config>& key : config_keys()) {
            if (line.value.empty() || environment_name(key.name) != line.name) continue;
            if (key.name == "environment" && parse_environment(line.value) != Environment::dev) {
                draft.report(key.name, place, ".env is read in development only; set ENVIRONMENT in the environment");
            } else if (key.name != "environment") {
                set_text(draft, key, line.value, place + " " + line.name);
            }
        }
    }
}

void apply_environment(Draft& draft, const std::map<std::string, std::string>& environment) {
    for (const auto& [name, value] : environment) report_unknown_variable(draft, name, "environment variable " + name);
    for (const Key<Config>& key : config_keys()) {
        const std::string name = environment_name(key.name);
        const auto found = environment.find(name);
        if (found == environment.end() || found->second.empty()) continue;  // empty: compose files leave them so
        set_text(draft, key, found->second, "environment variable " + name);
    }
}

void apply_flags(Draft& draft, const std::map<std::string, std::string>& flags) {
    std::vector<std::string> names;
    for (const Key<Config>& key : config_keys()) names.push_back(key.name);
    for (const auto& [name, value] : flags) {
        if (const Key<Config>* key = find_key(config_keys(), name)) {
            set_text(draft, *key, value, "command line");
        } else {
            const std::string likely = nearest(name, names);
            draft.report(
                name, "command line", "unknown key" + (likely.empty() ? "" : "; did you mean " + likely + "?")
            );
        }
    }
}

}  // namespace worker

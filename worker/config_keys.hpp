#pragma once

// The known keys, written once: they drive reading, the environment's names, the hints for unknown keys, the output of
// `check` and the JSON Schema.

#include "worker/config.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace worker {

// What a source gives for a key: one value, a list, or names with values.
using TextList = std::vector<std::string>;
using TextMap = std::vector<std::pair<std::string, std::string>>;
using Value = std::variant<std::string, TextList, TextMap>;

enum class Form { text, boolean, integer, real, duration, size, list, map };

template <class Target>
struct Key {
    std::string name{};  // dotted: database.pool_size; in queues and handlers without the queue's or kind's name
    Form form = Form::text;
    std::string meaning{};               // one line, for the schema
    std::vector<std::string> choices{};  // the only values, when not empty
    std::optional<std::int64_t> minimum{};
    std::optional<std::int64_t> maximum{};
    // Sets the value; answers what is wrong with it, or nothing.
    std::function<std::string(Target&, const Value&)> set{};
    // The value as config.yml would say it; empty for none. Secrets are ***.
    std::function<std::string(const Target&)> show{};
};

template <class Target>
using Keys = std::vector<Key<Target>>;

const Keys<Config>& config_keys();
const Keys<QueueConfig>& queue_keys();      // below queues.<name>
const Keys<HandlerConfig>& handler_keys();  // below handlers.<kind>

// The environment variable of a key of config_keys().
std::string environment_name(const std::string& key);

std::optional<Environment> parse_environment(std::string_view text);  // development and prod are understood as well
bool is_allowed(const Config& config, std::string_view rule);

}  // namespace worker

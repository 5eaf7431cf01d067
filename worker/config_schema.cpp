#include "worker/config_keys.hpp"
#include "worker/config_value.hpp"

#include <boost/json.hpp>

#include <string>
#include <string_view>

namespace worker {

namespace {

namespace json = boost::json;

template <class Target>
json::value default_value(const Key<Target>& key) {
    const std::string shown = key.show(Target{});
    if (shown.empty()) return nullptr;
    if (key.form == Form::integer) return parse_integer(shown).value_or(0);
    if (key.form == Form::real) return parse_real(shown).value_or(0);
    if (key.form == Form::boolean) return shown == "true";
    return json::string(shown);
}

void add_limits(
    json::object& schema, const std::optional<std::int64_t>& least, const std::optional<std::int64_t>& most
) {
    if (least) schema["minimum"] = *least;
    if (most) schema["maximum"] = *most;
}

template <class Target>
json::object leaf(const Key<Target>& key) {
    json::object schema{{"description", key.meaning}};
    json::array choices(key.choices.begin(), key.choices.end());
    switch (key.form) {
        case Form::text:
            schema["type"] = "string";
            if (!choices.empty()) schema["enum"] = choices;
            break;
        case Form::boolean:
            schema["type"] = "boolean";
            break;
        case Form::integer:
            schema["type"] = "integer";
            add_limits(schema, key.minimum, key.maximum);
            break;
        case Form::real:
            schema["type"] = "number";
            add_limits(schema, key.minimum, key.maximum);
            break;
        case Form::duration:
            schema["type"] = json::array{"string", "number"};
            schema["pattern"] = "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)?$";
            schema["minimum"] = 0;
            break;
        case Form::size:
            schema["type"] = json::array{"string", "integer"};
            schema["pattern"] = "^[0-9]+(KiB|MiB|GiB)?$";
            schema["minimum"] = 0;
            break;
        case Form::list:
            schema["type"] = "array";
            schema["items"] = choices.empty() ? json::object{{"type", json::array{"string", "number", "boolean"}}}
                                              : json::object{{"enum", choices}};
            if (key.minimum) schema["minItems"] = *key.minimum;
            break;
        case Form::map:
            schema["type"] = "object";
            schema["additionalProperties"] = json::object{{"type", json::array{"string", "number", "boolean"}}};
            break;
    }
    if (json::value value = default_value(key); !value.is_null()) schema["default"] = std::move(value);
    return schema;
}

json::object closed_object() {
    return {{"type", json::array{"object", "null"}}, {"additionalProperties", false}, {"properties", json::object()}};
}

// Puts a key's schema where its dotted name says.
template <class Target>
json::object table(const Keys<Target>& keys) {
    json::object root = closed_object();
    for (const Key<Target>& key : keys) {
        json::object* object = &root;
        std::string_view rest = key.name;
        for (std::size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
            json::object& properties = (*object)["properties"].as_object();
            object = &properties.emplace(rest.substr(0, dot), closed_object()).first->value().as_object();
            rest.remove_prefix(dot + 1);
        }
        (*object)["properties"].as_object().emplace(rest, leaf(key));
    }
    return root;
}

json::object named(std::string_view meaning, json::object below) {
    return {
        {"description", meaning},
        {"type", json::array{"object", "null"}},
        {"propertyNames", {{"pattern", "^[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,99}$"}}},
        {"additionalProperties", std::move(below)}
    };
}

// Two blanks a level; arrays of plain values on one line.
void print(std::string& text, const json::value& value, std::size_t indent) {
    if (!value.is_object() || value.as_object().empty()) {
        text += json::serialize(value);
        return;
    }
    std::string_view separator = "{\n";
    for (const auto& [key, below] : value.as_object()) {
        text += separator;
        text += std::string(indent + 2, ' ') + json::serialize(key) + ": ";
        print(text, below, indent + 2);
        separator = ",\n";
    }
    text += "\n" + std::string(indent, ' ') + "}";
}

}  // namespace

std::string config_schema() {
    json::object handler = table(handler_keys());
    handler["oneOf"] =
        json::array{json::object{{"required", json::array{"exec"}}}, json::object{{"required", json::array{"http"}}}};
    json::object root = table(config_keys());
    root["properties"].as_object()["queues"] = named("Queues by name; default always exists", table(queue_keys()));
    root["properties"].as_object()["handlers"] = named("What runs a job, by kind", std::move(handler));
    json::object schema{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "task-worker config.yml"}};
    for (auto& [key, value] : root) schema[key] = std::move(value);
    std::string text;
    print(text, schema, 0);
    return text + "\n";
}

}  // namespace worker

#pragma once

// JSON for standard output, written in the order in which fields are added, and JSON made readable. Pure.

#include "db/rows.hpp"
#include "queue/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace worker::cli {

// One object. Values: text, numbers, bool, times, optional of them (empty: null).
class JsonObject {
public:
    template <class T>
    JsonObject& add(std::string_view name, const T& value) {
        if constexpr (is_optional<T>) {
            return value ? add(name, *value) : add_json(name, std::nullopt);
        } else if constexpr (std::is_same_v<T, bool>) {
            return add_json(name, value ? "true" : "false");
        } else if constexpr (std::is_enum_v<T>) {
            return add_json(name, std::to_string(static_cast<std::int64_t>(value)));
        } else if constexpr (std::is_integral_v<T>) {
            return add_json(name, std::to_string(value));
        } else if constexpr (std::is_floating_point_v<T>) {
            return add_number(name, value);
        } else if constexpr (std::is_same_v<T, db::TimePoint>) {
            return add_time(name, value);
        } else {
            return add_text(name, value);
        }
    }
    // A value that is JSON already; empty: null.
    JsonObject& add_json(std::string_view name, std::optional<std::string_view> json);

    std::string text() const { return "{" + fields_ + "}"; }

private:
    template <class T>
    static constexpr bool is_optional = false;
    template <class T>
    static constexpr bool is_optional<std::optional<T>> = true;

    JsonObject& add_number(std::string_view name, double value);
    JsonObject& add_time(std::string_view name, db::TimePoint value);
    JsonObject& add_text(std::string_view name, std::string_view value);

    std::string fields_;
};

std::string json_text(std::string_view text);                      // in quotes, escaped
std::string json_array(const std::vector<std::string>& elements);  // of JSON
std::string json_texts(const std::vector<std::string>& texts);

// A JSON text over several lines, two blanks a level, its numbers and strings untouched. Small arrays and objects,
// those that fit into `width` with their indentation, stay on one line.
std::string pretty_json(std::string_view json, std::size_t width);

}  // namespace worker::cli

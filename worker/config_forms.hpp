#pragma once

// The forms of keys: one function for each kind of value, which makes a Key out of its name, its limits, its meaning
// and an access function `(auto& target) -> auto&` to its field.

#include "worker/config_keys.hpp"
#include "worker/config_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace worker::forms {

inline constexpr std::uint64_t kib = 1024;
inline constexpr std::uint64_t mib = 1024 * kib;
inline constexpr std::uint64_t gib = 1024 * mib;
inline constexpr std::chrono::milliseconds any{0};
inline constexpr std::chrono::milliseconds tick{1};
inline constexpr std::chrono::milliseconds second{1'000};

template <class T>
struct Inner {
    using type = T;
};
template <class T>
struct Inner<std::optional<T>> {
    using type = T;
};

template <class Target, class Access>
using Field = std::remove_cvref_t<std::invoke_result_t<Access, Target&>>;
template <class Target, class Access>
using FieldValue = typename Inner<Field<Target, Access>>::type;

// A key of one value: `parse` reads it, `print` is its opposite, `expected` finishes the sentence "... is not".
template <class Target, class Access, class Parse, class Print>
Key<Target> scalar(Key<Target> key, Access access, Parse parse, Print print, std::string expected) {
    key.set = [access, parse, expected](Target& target, const Value& value) -> std::string {
        const auto* text = std::get_if<std::string>(&value);
        if (text == nullptr) return "takes one value, " + expected;
        const std::optional<FieldValue<Target, Access>> parsed = parse(*text);
        if (!parsed) return in_quotes(*text) + " is not " + expected;
        access(target) = *parsed;
        return {};
    };
    key.show = [access, print](const Target& target) -> std::string {
        const auto& field = access(target);
        if constexpr (std::is_same_v<Field<Target, Access>, FieldValue<Target, Access>>) {
            return print(field);
        } else {
            return field ? print(*field) : std::string();
        }
    };
    return key;
}

template <class Target, class Access>
Key<Target> text(std::string name, std::string meaning, Access access) {
    return scalar<Target>(
        {.name = std::move(name), .form = Form::text, .meaning = std::move(meaning)},
        access,
        [](const std::string& given) { return std::optional(given); },
        [](const std::string& value) { return value; },
        "a text"
    );
}

// A text that must not be shown: errors and `check` say ***.
template <class Target, class Access>
Key<Target> secret(std::string name, std::string meaning, Access access) {
    Key<Target> key = text<Target>(std::move(name), std::move(meaning), access);
    key.show = [access](const Target& target) { return std::string(access(target).empty() ? "" : "***"); };
    return key;
}

// A URL to call: find_url_problem().
template <class Target, class Access>
Key<Target> url(std::string name, std::string meaning, Access access) {
    Key<Target> key = text<Target>(std::move(name), std::move(meaning), access);
    key.set = [access](Target& target, const Value& value) -> std::string {
        const auto* text = std::get_if<std::string>(&value);
        if (text == nullptr) return "takes one value, the URL to call";
        std::string wrong = find_url_problem(*text);
        if (wrong.empty()) access(target) = *text;
        return wrong;
    };
    return key;
}

template <class Target, class Access>
Key<Target> boolean(std::string name, std::string meaning, Access access) {
    return scalar<Target>(
        {.name = std::move(name), .form = Form::boolean, .meaning = std::move(meaning)},
        access,
        [](const std::string& given) { return parse_boolean(given); },
        [](bool value) { return std::string(value ? "true" : "false"); },
        "true or false"
    );
}

struct Range {
    std::int64_t least = 0;
    std::int64_t most = std::numeric_limits<int>::max();
    bool holds(std::int64_t value) const { return value >= least && value <= most; }
};

template <class Target, class Access>
Key<Target> integer(std::string name, Range range, std::string meaning, Access access) {
    Key<Target> key{.name = std::move(name), .form = Form::integer, .meaning = std::move(meaning)};
    key.minimum = range.least;
    key.maximum = range.most;
    return scalar<Target>(
        std::move(key),
        access,
        [range](const std::string& given) -> std::optional<int> {
            const auto number = parse_integer(given);
            if (!number || !range.holds(*number)) return {};
            return static_cast<int>(*number);
        },
        [](int value) { return std::to_string(value); },
        fmt::format("a whole number from {} to {}", range.least, range.most)
    );
}

template <class Target, class Access>
Key<Target> real(std::string name, Range range, std::string meaning, Access access) {
    Key<Target> key{.name = std::move(name), .form = Form::real, .meaning = std::move(meaning)};
    key.minimum = range.least;
    key.maximum = range.most;
    return scalar<Target>(
        std::move(key),
        access,
        [range](const std::string& given) -> std::optional<double> {
            const auto number = parse_real(given);
            const bool fits =
                number && *number >= static_cast<double>(range.least) && *number <= static_cast<double>(range.most);
            return fits ? number : std::nullopt;
        },
        [](double value) { return fmt::format("{}", value); },
        fmt::format("a number from {} to {}", range.least, range.most)
    );
}

// `least` in the field's own unit; a field of seconds takes whole seconds only.
template <class Target, class Access>
Key<Target> duration(std::string name, std::chrono::milliseconds least, std::string meaning, Access access) {
    using Duration = FieldValue<Target, Access>;
    constexpr bool whole_seconds = std::is_same_v<Duration, std::chrono::seconds>;
    return scalar<Target>(
        {.name = std::move(name), .form = Form::duration, .meaning = std::move(meaning)},
        access,
        [least](const std::string& given) -> std::optional<Duration> {
            const auto parsed = parse_duration(given);
            if (!parsed || *parsed < least) return {};
            const auto value = std::chrono::duration_cast<Duration>(*parsed);
            if (value != *parsed) return {};
            return value;
        },
        [](Duration value) { return show_duration(value); },
        fmt::format(
            "a duration{}{}, such as {}30s, 5m, 1h, 1d",
            whole_seconds ? " of whole seconds" : "",
            least.count() == 0 ? "" : " of at least " + show_duration(least),
            whole_seconds ? "" : "500ms, "
        )
    );
}

template <class Target, class Access>
Key<Target> size(std::string name, std::uint64_t least, std::uint64_t most, std::string meaning, Access access) {
    return scalar<Target>(
        {.name = std::move(name), .form = Form::size, .meaning = std::move(meaning)},
        access,
        [least, most](const std::string& given) -> std::optional<FieldValue<Target, Access>> {
            const auto parsed = parse_size(given);
            if (!parsed || *parsed < least || *parsed > most) return {};
            return static_cast<FieldValue<Target, Access>>(*parsed);
        },
        [](std::uint64_t value) { return show_size(value); },
        fmt::format("a size from {} to {}, in bytes, KiB, MiB or GiB", show_size(least), show_size(most))
    );
}

// The words of an enumeration, in its order.
template <class Target, class Access>
Key<Target> choice(std::string name, TextList words, std::string meaning, Access access) {
    using Enum = FieldValue<Target, Access>;
    Key<Target> key{.name = std::move(name), .form = Form::text, .meaning = std::move(meaning), .choices = words};
    const std::string expected = "one of " + join(words);
    return scalar<Target>(
        std::move(key),
        access,
        [words](const std::string& given) -> std::optional<Enum> {
            const auto found = std::ranges::find(words, given);
            if (found == words.end()) return {};
            return static_cast<Enum>(found - words.begin());
        },
        [words](Enum value) { return words[static_cast<std::size_t>(value)]; },
        expected
    );
}

template <class Target, class Access>
Key<Target> list(std::string name, TextList words, std::string meaning, Access access) {
    Key<Target> key{.name = std::move(name), .form = Form::list, .meaning = std::move(meaning), .choices = words};
    key.set = [words, access](Target& target, const Value& value) -> std::string {
        TextList items;
        if (const auto* text = std::get_if<std::string>(&value)) items = split_list(*text);
        if (const auto* given = std::get_if<TextList>(&value)) items = *given;
        if (std::holds_alternative<TextMap>(value)) return "takes a list, such as [a, b]";
        for (const std::string& item : items) {
            if (!words.empty() && std::ranges::find(words, item) == words.end()) {
                return in_quotes(item) + " is not one of " + join(words);
            }
        }
        access(target) = std::move(items);
        return {};
    };
    key.show = [access](const Target& target) { return join(access(target)); };
    return key;
}

}  // namespace worker::forms

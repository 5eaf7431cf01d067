#pragma once

// Typed native handlers: args decoded from JSON into a struct that Boost.Describe knows.
//
//   struct SendEmail { std::string to; std::optional<std::string> subject; };
//   BOOST_DESCRIBE_STRUCT(SendEmail, (), (to, subject))
//   boost::asio::awaitable<Outcome> send_email(JobContext& context, SendEmail args);
//   registry.add({.name = "send-email", .handler = typed_handler<SendEmail>(send_email), .policy = {}});
//
// Members may be bool, whole and floating numbers, std::string, boost::json::value, std::optional, std::vector,
// std::map with string keys, and described structs. A missing member is a problem unless it is optional; null counts as
// missing there. Members of the JSON that the struct does not have are ignored, so that the producer may be newer.

#include "jobs/handler.hpp"

#include <boost/describe.hpp>
#include <boost/json/value.hpp>
#include <boost/mp11/algorithm.hpp>

#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace jobs {

// What does not fit, each as "JSON pointer: what is wrong". Empty: all fits.
using Problems = std::vector<std::string>;

// `pointer` extended by one member or element, escaped as RFC 6901 says.
std::string pointer_to(std::string_view pointer, std::string_view member);

// "POINTER: expected EXPECTED, got ..."; the whole document is called args.
std::string type_problem(std::string_view pointer, std::string_view expected, const boost::json::value& value);

// "args do not fit: ..." of all problems.
Discard discard_for(const Problems& problems);

template <class T>
void decode(const boost::json::value& value, const std::string& pointer, T& target, Problems& problems);

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_map = false;
template <class T>
inline constexpr bool is_map<std::map<std::string, T>> = true;

template <class T>
void decode_whole(const boost::json::value& value, const std::string& pointer, T& target, Problems& problems) {
    boost::system::error_code error;
    target = value.is_number() ? value.to_number<T>(error) : T{};
    if (value.is_number() && !error) return;
    const std::string expected = "a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                                 std::to_string(std::numeric_limits<T>::max());
    problems.push_back(type_problem(pointer, expected, value));
}

template <class T>
void decode_struct(const boost::json::value& value, const std::string& pointer, T& target, Problems& problems) {
    const boost::json::object* object = value.if_object();
    if (!object) {
        problems.push_back(type_problem(pointer, "an object", value));
        return;
    }
    using Members = boost::describe::describe_members<T, boost::describe::mod_any_access>;
    boost::mp11::mp_for_each<Members>([&](auto member) {
        auto& field = target.*member.pointer;
        const std::string at = pointer_to(pointer, member.name);
        if (const boost::json::value* found = object->if_contains(member.name)) {
            decode(*found, at, field, problems);
        } else if constexpr (!is_optional<std::remove_reference_t<decltype(field)>>) {
            problems.push_back(at + ": is missing");
        }
    });
}

}  // namespace detail

// Decodes `value`, found at `pointer`, into `target`; adds what does not fit to `problems`.
template <class T>
void decode(const boost::json::value& value, const std::string& pointer, T& target, Problems& problems) {
    if constexpr (std::same_as<T, boost::json::value>) {
        target = value;
    } else if constexpr (std::same_as<T, bool>) {
        if (value.is_bool()) {
            target = value.get_bool();
        } else {
            problems.push_back(type_problem(pointer, "true or false", value));
        }
    } else if constexpr (std::integral<T>) {
        detail::decode_whole(value, pointer, target, problems);
    } else if constexpr (std::floating_point<T>) {
        if (value.is_number()) {
            target = static_cast<T>(value.to_number<double>());
        } else {
            problems.push_back(type_problem(pointer, "a number", value));
        }
    } else if constexpr (std::same_as<T, std::string>) {
        if (value.is_string()) {
            target = std::string(value.get_string());
        } else {
            problems.push_back(type_problem(pointer, "a string", value));
        }
    } else if constexpr (detail::is_optional<T>) {
        target.reset();
        if (!value.is_null()) decode(value, pointer, target.emplace(), problems);
    } else if constexpr (detail::is_vector<T>) {
        target.clear();
        if (!value.is_array()) {
            problems.push_back(type_problem(pointer, "an array", value));
            return;
        }
        for (const boost::json::value& element : value.get_array()) {
            typename T::value_type item{};
            decode(element, pointer_to(pointer, std::to_string(target.size())), item, problems);
            target.push_back(std::move(item));
        }
    } else if constexpr (detail::is_map<T>) {
        target.clear();
        if (!value.is_object()) {
            problems.push_back(type_problem(pointer, "an object", value));
            return;
        }
        for (const auto& member : value.get_object()) {
            decode(member.value(), pointer_to(pointer, member.key()), target[std::string(member.key())], problems);
        }
    } else {
        detail::decode_struct(value, pointer, target, problems);
    }
}

// Decodes a job's args; a discard of the problems when they do not fit. A job without args (null) counts as {}.
template <class T>
std::optional<Discard> decode_args(const Job& job, T& target) {
    Problems problems;
    const boost::json::value& given = job.args.value();
    static const boost::json::value nothing(boost::json::object_kind);
    decode(given.is_null() ? nothing : given, "", target, problems);
    if (problems.empty()) return std::nullopt;
    return discard_for(problems);
}

namespace detail {

// By value: the handler that holds `function` may go while a run still waits.
template <class Args, class Function>
boost::asio::awaitable<Outcome> run_typed(Function function, JobContext& context) {
    Args args{};
    if (auto discard = decode_args(context.job(), args)) co_return std::move(*discard);
    Outcome outcome = co_await function(context, std::move(args));
    co_return outcome;
}

}  // namespace detail

// A handler from `function(JobContext&, Args) -> awaitable<Outcome>`. Args that do not fit are a discard that
// names every problem with its JSON pointer: another attempt would not read otherwise.
template <class Args, class Function>
Handler typed_handler(Function function) {
    return [function = std::move(function)](JobContext& context) { return detail::run_typed<Args>(function, context); };
}

}  // namespace jobs

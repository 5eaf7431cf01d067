#include "jobs/exec_input.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string_view>

namespace jobs {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 6> allowed{"PATH", "HOME", "LANG", "TZ", "TMPDIR", "USER"};
// The system refuses a longer variable (128 KiB), or too many of them, and with that the whole program.
constexpr std::size_t longest_value = std::size_t{64} * 1024;
constexpr std::size_t all_values = std::size_t{512} * 1024;

bool may_pass(std::string_view name, const ExecSpec& spec) {
    return std::ranges::find(allowed, name) != allowed.end() || name.starts_with("LC_") ||
           std::ranges::find(spec.pass_env, name) != spec.pass_env.end();
}

std::string argument_name(std::string_view member) {
    std::string name = "ARG_";
    for (const char letter : member) {
        const bool lower = letter >= 'a' && letter <= 'z';
        const bool kept = (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
        name += lower ? static_cast<char>(letter - 'a' + 'A') : kept ? letter : '_';
    }
    return name;
}

std::optional<std::string> argument_value(const json::value& value) {
    if (value.is_bool() || value.is_int64() || value.is_uint64()) return json::serialize(value);
    if (value.is_double()) return fmt::format("{}", value.get_double());
    if (!value.is_string()) return {};
    const std::string_view text = value.get_string();
    if (text.size() > longest_value || text.find('\0') != std::string_view::npos) return {};
    return std::string(text);
}

std::string quoted_or_null(std::string_view text) {
    return text.empty() ? "null" : json::serialize(json::string_view(text.data(), text.size()));
}

}  // namespace

std::string job_document(const Job& job) {
    return fmt::format(
        "{{\"id\":{},\"kind\":{},\"queue\":{},\"attempt\":{},\"max_attempts\":{},\"batch_id\":{},\"traceparent\":{},"
        "\"args\":{}}}\n",
        static_cast<std::int64_t>(job.id),
        quoted_or_null(job.kind),
        quoted_or_null(job.queue),
        job.attempt,
        job.max_attempts,
        quoted_or_null(job.batch.value_or("")),
        quoted_or_null(job.traceparent),
        json::serialize(job.args.value())
    );
}

std::map<std::string, std::string> shared_environment(const ExecSpec& spec, const char* const* own) {
    std::map<std::string, std::string> shared = spec.env;
    for (; own && *own; ++own) {
        const std::string_view entry = *own;
        const std::size_t equals = entry.find('=');
        const std::string_view name = entry.substr(0, equals);
        if (equals == std::string_view::npos || !may_pass(name, spec)) continue;
        shared.emplace(name, entry.substr(equals + 1));  // not over what the spec sets
    }
    return shared;
}

std::vector<std::string> job_environment(const std::map<std::string, std::string>& shared, const Job& job) {
    std::vector<std::string> environment;
    environment.reserve(shared.size() + 16);
    const auto is_set = [&](std::string_view name) {
        return std::ranges::any_of(environment, [&](std::string_view entry) {
            return entry.starts_with(name) && entry.substr(name.size()).starts_with('=');
        });
    };
    const auto set = [&](std::string_view name, const auto& value) {
        environment.push_back(fmt::format("{}={}", name, value));
    };
    set("JOB_ID", static_cast<std::int64_t>(job.id));
    set("JOB_KIND", job.kind);
    set("JOB_QUEUE", job.queue);
    set("JOB_ATTEMPT", job.attempt);
    set("JOB_MAX_ATTEMPTS", job.max_attempts);
    if (job.batch) set("JOB_BATCH_ID", *job.batch);
    if (!job.traceparent.empty()) set("TRACEPARENT", job.traceparent);

    std::size_t bytes = 0;
    if (const json::object* args = job.args.value().if_object()) {
        for (const auto& [member, value] : *args) {
            const std::optional<std::string> text = argument_value(value);
            if (!text || member.size() > longest_value) continue;
            const std::string name = argument_name(member);
            bytes += name.size() + text->size();
            if (bytes > all_values) break;
            if (!is_set(name)) set(name, *text);
        }
    }
    for (const auto& [name, value] : shared) {
        if (!is_set(name)) set(name, value);
    }
    return environment;
}

}  // namespace jobs

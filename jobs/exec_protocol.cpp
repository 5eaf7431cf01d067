#include "jobs/exec_protocol.hpp"

#include "jobs/json_limits.hpp"
#include "jobs/utf8.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <signal.h>
#include <string.h>
#include <sysexits.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace jobs {

namespace json = boost::json;

namespace {

using std::chrono::milliseconds;

constexpr std::array<std::string_view, 6> keys{"progress", "result", "retry", "snooze", "discard", "done"};
constexpr double longest_delay = 366.0 * 24 * 3600;  // seconds
constexpr std::size_t longest_text = 8192;

std::string_view without_spaces(std::string_view text) {
    const std::size_t start = text.find_first_not_of(" \t\r");
    return start == std::string_view::npos ? std::string_view() : text.substr(start);
}

// What stands behind `"name":` at the start of the text; empty when it starts otherwise.
std::optional<std::string_view> after_name(std::string_view text, std::string_view name) {
    if (!text.starts_with('"') || !text.substr(1).starts_with(name)) return {};
    text.remove_prefix(1 + name.size());
    if (!text.starts_with('"')) return {};
    text = without_spaces(text.substr(1));
    if (!text.starts_with(':')) return {};
    return without_spaces(text.substr(1));
}

// What stands behind `"id": 128,` at the start of the text, or all of it.
std::string_view without_id(std::string_view text) {
    std::optional<std::string_view> rest = after_name(text, "id");
    if (!rest) return text;
    rest->remove_prefix(std::min(rest->size(), rest->find_first_not_of("0123456789")));
    rest = without_spaces(*rest);
    return rest->starts_with(',') ? without_spaces(rest->substr(1)) : text;
}

// The key of a line that starts as a message does; empty for any other. Cheap: most lines are log.
std::string_view message_key(std::string_view line) {
    line = without_spaces(line);
    if (!line.starts_with('{')) return {};
    line = without_id(without_spaces(line.substr(1)));
    const auto* found =
        std::ranges::find_if(keys, [&](std::string_view key) { return after_name(line, key).has_value(); });
    return found == keys.end() ? std::string_view() : *found;
}

std::optional<double> number(const json::value* value) {
    if (!value || !value->is_number()) return {};
    return value->to_number<double>();
}

std::optional<milliseconds> delay(const json::value* value) {
    const std::optional<double> seconds = number(value);
    if (!seconds || !(*seconds >= 0) || *seconds > longest_delay) return {};
    return milliseconds(std::llround(*seconds * 1000));
}

std::optional<std::int64_t> count(const json::value* value) {
    const std::optional<double> read = number(value);
    if (!read || !(*read >= 0) || *read > 9e15) return {};
    return std::llround(*read);
}

std::optional<std::string> text(const json::value* value) {
    if (!value || !value->is_string()) return {};
    std::string valid;  // JSON can spell a NUL, which PostgreSQL's text cannot hold
    append_valid_utf8(valid, cut_utf8(value->get_string(), longest_text));
    return valid;
}

// A member that may be missing but not be of another type: false when it is.
template <class T>
bool take(const json::object& object, std::string_view name, std::optional<T> (*read)(const json::value*), T& target) {
    const json::value* member = object.if_contains(name);
    if (!member) return true;
    const std::optional<T> value = read(member);
    if (value) target = *value;
    return value.has_value();
}

// Each reader answers nothing when the value has another shape than the header gives.

std::optional<Progress> read_progress(const json::value& value) {
    if (const std::optional<double> percent = number(&value)) {
        if (!(*percent >= 0 && *percent <= 100)) return {};
        return Progress{std::llround(*percent), 100, {}};
    }
    const json::object* object = value.if_object();
    Progress progress;
    if (!object || !object->contains("done")) return {};
    if (!take(*object, "done", count, progress.done) || !take(*object, "total", count, progress.total)) return {};
    if (!take(*object, "message", text, progress.message)) return {};
    return progress;
}

std::optional<Retry> read_retry(const json::value& value) {
    if (const auto error = text(&value)) return Retry{*error, {}};
    const json::object* object = value.if_object();
    if (!object) return {};
    Retry retry{"the program asked for a retry", {}};
    milliseconds after{0};
    if (!take(*object, "error", text, retry.error) || !take(*object, "after", delay, after)) return {};
    if (object->contains("after")) retry.after = after;
    return retry;
}

std::optional<Snooze> read_snooze(const json::value& value) {
    if (const auto after = delay(&value)) return Snooze{*after, "the program asked for it"};
    const json::object* object = value.if_object();
    Snooze snooze{milliseconds(0), "the program asked for it"};
    if (!object || !object->contains("for")) return {};
    if (!take(*object, "for", delay, snooze.after) || !take(*object, "reason", text, snooze.reason)) return {};
    return snooze;
}

std::optional<Discard> read_discard(const json::value& value) {
    if (const auto error = text(&value)) return Discard{*error};
    const json::object* object = value.if_object();
    Discard discard{"the program asked for it"};
    if (!object || !take(*object, "error", text, discard.error)) return {};
    return discard;
}

Outcome result_too_large(std::size_t size, std::size_t limit) {
    return Discard{fmt::format("its result of {} bytes is over the limit of {} bytes", size, limit)};
}

OnSuccess read_result(json::value value, std::size_t line_size, std::size_t limit) {
    if (overflows(value)) return {Retry{"the program's \"result\" line holds a number that is too large", {}}, true};
    // Written out by us a value may take another length than in the line, but hardly twice that.
    const std::size_t size = 2 * line_size > limit ? json::serialize(value).size() : 0;
    if (size > limit) return {result_too_large(size, limit)};
    return {Complete{std::move(value)}};
}

template <class T>
Message verdict(std::optional<T> read, std::string_view key, std::string_view shape) {
    if (read) return Verdict{Outcome(std::move(*read))};
    return Verdict{Retry{fmt::format("the program's \"{}\" line cannot be understood: give {}", key, shape), {}}, true};
}

// A line that starts as a message but is not one.
Message broken(std::string_view key, std::string_view problem) {
    std::string error = fmt::format("the program's \"{}\" line is not JSON: {}", key, problem);
    if (key == "progress" || key == "done") return LogLine{std::move(error)};
    if (key == "result") return OnSuccess{Retry{std::move(error), {}}, true};
    return Verdict{Retry{std::move(error), {}}, true};
}

// The value of the message that the object is; empty when it has other members than those of one. `id` is its job's.
json::value* message_value(json::object& object, std::string_view key, const json::value*& id) {
    id = object.if_contains("id");
    if (object.size() != (id ? 2U : 1U) || (id && !id->is_int64())) return nullptr;
    return object.if_contains(key);
}

std::string seconds(milliseconds time) {
    return fmt::format("{:g} s", static_cast<double>(time.count()) / 1000);
}

std::string signal_text(int signal) {
    const char* name = ::sigabbrev_np(signal);
    std::string error = name ? fmt::format("killed by SIG{}", name) : fmt::format("killed by signal {}", signal);
    if (signal == SIGXCPU) error += ": its processor time is used up";
    if (signal == SIGKILL) error += ", not by this worker: out of memory, perhaps";
    return error;
}

Outcome outcome_of_exit(int code, const Outcome& on_success, const std::string& tail) {
    switch (code) {
        case EX_OK:
            return on_success;
        case EX_DATAERR:
            return Discard{with_tail("exit code 65", tail)};
        case EX_TEMPFAIL:
            return Snooze{milliseconds(60'000), with_tail("exit code 75", tail)};
        default:
            return Retry{with_tail(exit_text({.code = code}), tail), {}};
    }
}

}  // namespace

std::string exit_text(ProcessExit exit) {
    return exit.signal != 0 ? signal_text(exit.signal) : fmt::format("exit code {}", exit.code);
}

std::string with_tail(std::string error, const std::string& tail) {
    return tail.empty() ? error : std::move(error) + "\n" + tail;
}

Message read_line(
    std::string_view line, std::size_t left_out, std::size_t result_limit, std::optional<queue::JobId> job
) {
    const std::string_view key = message_key(line);
    if (key.empty()) return LogLine{};
    if (left_out > 0 && key == "result") return OnSuccess{result_too_large(line.size() + left_out, result_limit)};
    if (left_out > 0) return broken(key, "it is too long");

    std::string valid;
    append_valid_utf8(valid, line);
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = deepest_result;
    json::value parsed = json::parse(valid, error, {}, options);
    if (error) return broken(key, error.message());
    const json::value* id = nullptr;
    json::value* const found = message_value(parsed.get_object(), key, id);
    if (!found) return LogLine{};
    json::value& value = *found;
    if (id && job && id->get_int64() != static_cast<std::int64_t>(*job)) {
        return Verdict{
            Retry{
                fmt::format(
                    "the program answered for job {}, but it was given job {}",
                    id->get_int64(),
                    static_cast<std::int64_t>(*job)
                ),
                {}
            },
            true
        };
    }

    if (key == "result") return read_result(std::move(value), valid.size(), result_limit);
    if (key == "retry") return verdict(read_retry(value), key, R"("why" or {"after": seconds, "error": "why"})");
    if (key == "snooze") return verdict(read_snooze(value), key, R"(seconds or {"for": seconds, "reason": "why"})");
    if (key == "discard") return verdict(read_discard(value), key, R"("why" or {"error": "why"})");
    if (key == "done") return value == json::value(true) ? Message(Done{}) : LogLine{R"("done" takes true)"};
    if (auto progress = read_progress(value)) return std::move(*progress);
    return LogLine{R"("progress" takes a percentage or {"done": 3, "total": 10, "message": "..."})"};
}

Outcome outcome_of_stop(StopReason reason, milliseconds timeout) {
    switch (reason) {
        case StopReason::cancelled:
            return Cancel{"cancelled while it ran"};
        case StopReason::timeout:
            return Retry{fmt::format("timed out after {}", seconds(timeout)), {}};
        case StopReason::lease_lost:
            return Retry{"stopped: the lease is lost", {}};
        default:
            return Retry{"stopped: the worker stops", {}};
    }
}

Outcome outcome_of(Ending ending) {
    if (ending.stopped != StopReason::none) {
        const auto* complete = std::get_if<Complete>(&ending.on_success);
        const bool went_well = ending.exit.signal == 0 && ending.exit.code == EX_OK && !ending.verdict;
        if (ending.stopped == StopReason::shutdown && went_well && complete && complete->result) {
            return std::move(ending.on_success);
        }
        Outcome outcome = outcome_of_stop(ending.stopped, ending.timeout);
        if (auto* retry = std::get_if<Retry>(&outcome)) retry->error = with_tail(retry->error, ending.log_tail);
        return outcome;
    }
    if (ending.exit.signal != 0) return Retry{with_tail(exit_text(ending.exit), ending.log_tail), {}};
    if (ending.verdict) return std::move(*ending.verdict);
    return outcome_of_exit(ending.exit.code, ending.on_success, ending.log_tail);
}

}  // namespace jobs

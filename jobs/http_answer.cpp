#include "jobs/http_answer.hpp"

#include "jobs/json_limits.hpp"
#include "jobs/utf8.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <curl/curl.h>

namespace jobs {

namespace json = boost::json;

namespace {

constexpr std::size_t error_bytes = 2048;
constexpr std::int64_t longest_delay = 366LL * 24 * 3600;  // seconds

bool is_success(int status) {
    return status >= 200 && status < 300;
}

// Seconds from now; empty: cannot be understood.
std::optional<std::int64_t> read_retry_after(const std::string& text, std::time_t now) {
    std::int64_t seconds = 0;
    const char* const end = text.data() + text.size();
    const auto [read_to, error] = std::from_chars(text.data(), end, seconds);
    if (read_to != end || error != std::errc()) {
        const std::time_t date = curl_getdate(text.c_str(), nullptr);
        if (date < 0) return {};
        seconds = std::max<std::int64_t>(date - now, 0);
    }
    if (seconds < 0 || seconds > longest_delay) return {};
    return seconds;
}

std::string valid(std::string_view bytes, std::size_t limit) {
    std::string text;
    append_valid_utf8(text, cut_utf8(bytes, limit));
    return text;
}

std::string error_of(const HttpAnswer& answer, std::string_view remark = {}) {
    std::string error = fmt::format("HTTP {}", answer.status);
    if (!answer.reason.empty()) error += " " + valid(answer.reason, 100);
    error += remark;
    const std::string body = valid(answer.body, error_bytes);
    return body.empty() ? error : error + "\n" + body;
}

Outcome outcome_of_success(const HttpAnswer& answer, std::size_t limit) {
    if (answer.is_cut) return Discard{fmt::format("the answer is over the limit of {} bytes", limit)};
    if (answer.body.find_first_not_of(" \t\r\n") == std::string::npos) return Complete{};
    std::string text;
    append_valid_utf8(text, answer.body);
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = deepest_result;
    json::value value = json::parse(text, error, {}, options);
    if (error) value = json::string(text);
    if (overflows(value)) return Retry{"the answer holds a number that is too large", {}};
    // Written out by us it may take another length than it came in: six times that, where it is text of control
    // letters.
    const std::size_t size = 6 * text.size() > limit ? json::serialize(value).size() : 0;
    if (size > limit) return Discard{fmt::format("the answer of {} bytes is over the limit of {} bytes", size, limit)};
    return Complete{std::move(value)};
}

Outcome outcome_of_busy(const HttpAnswer& answer, std::time_t now) {
    if (!answer.retry_after) return Retry{error_of(answer), {}};
    const auto seconds = read_retry_after(*answer.retry_after, now);
    if (seconds) return Snooze{std::chrono::seconds(*seconds), error_of(answer)};
    const std::string given = valid(*answer.retry_after, 100);
    return Retry{error_of(answer, fmt::format(", its Retry-After cannot be understood: \"{}\"", given)), {}};
}

}  // namespace

Outcome outcome_of(const HttpAnswer& answer, std::size_t result_limit, std::time_t now) {
    if (is_success(answer.status)) return outcome_of_success(answer, result_limit);
    if (answer.status == 410) return Discard{error_of(answer)};
    if (answer.status == 429 || answer.status == 503) return outcome_of_busy(answer, now);
    if (answer.status >= 300 && answer.status < 400) {
        return Retry{
            error_of(answer, fmt::format(": a redirect to \"{}\", not followed", valid(answer.location, 500))), {}
        };
    }
    return Retry{error_of(answer), {}};
}

std::size_t body_limit(int status, std::size_t result_limit) {
    // A result may come with more white space and escapes than it counts with.
    return is_success(status) ? 4 * result_limit + 1024 : error_bytes;
}

}  // namespace jobs

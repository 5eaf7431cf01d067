#include "worker/cli/error_text.hpp"

#include "worker/cli/terminal.hpp"
#include "worker/cli/times.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace json = boost::json;

namespace worker::cli {

namespace {

bool has_word(std::string_view line) {
    return std::ranges::any_of(line, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; });
}

bool is_telling(std::string_view line) {
    // Node writes its version below the error.
    return has_word(line) && line.front() != ' ' && line.front() != '\t' && !line.starts_with("Node.js v");
}

// The last line for which it holds; empty: none.
template <class Predicate>
std::string_view last_line(std::string_view text, Predicate predicate) {
    while (!text.empty()) {
        const std::size_t begin = text.rfind('\n') + 1;  // npos + 1 is 0
        const std::string_view line = text.substr(begin);
        if (predicate(line)) return line;
        text.remove_suffix(text.size() - (begin == 0 ? 0 : begin - 1));
    }
    return {};
}

std::string failure_text(const json::object& failure, std::string_view shown) {
    const std::string_view error = failure.at("error").as_string();
    const std::string_view at = failure.at("at").as_string();
    const auto time = parse_time(at);
    return fmt::format(
        "attempt {}, {}: {}",
        failure.at("attempt").as_int64(),
        time ? show_time(*time) : printable(at),
        error == shown ? printable(telling_line(error)) : printable_lines(error)
    );
}

}  // namespace

std::string telling_line(std::string_view error) {
    std::string_view line = last_line(error, is_telling);
    if (line.empty()) line = last_line(error, has_word);
    const std::size_t begin = line.find_first_not_of(" \t");
    return std::string(begin == std::string_view::npos ? error : line.substr(begin));
}

std::string failures_text(std::string_view errors, std::string_view shown) {
    std::string text;
    try {
        const json::value parsed = json::parse(errors);
        for (const json::value& failure : parsed.as_array()) text += failure_text(failure.as_object(), shown) + "\n";
    } catch (const std::exception&) {  // another program's
        return printable_lines(errors);
    }
    if (!text.empty()) text.pop_back();
    return text;
}

int attempts_in_force(const queue::JobDetails& job, std::optional<int> handler_limit) {
    return handler_limit.value_or(job.max_attempts);
}

std::string discard_reason(const queue::JobDetails& job, std::optional<int> handler_limit) {
    const std::string_view error = job.error ? std::string_view(*job.error) : std::string_view();
    const int allowed = attempts_in_force(job, handler_limit);
    const std::string attempt = fmt::format("on attempt {} of {}", job.attempt, allowed);
    if (error.starts_with("quarantined: ")) return "its workers died while it ran";
    if (error.starts_with("exit code 65")) return "exit code 65 discards, " + attempt;
    if (error.starts_with("the result has ")) return "its result is larger than limits.result";
    if (job.attempt >= allowed) return "its attempts are used up: " + attempt;
    if (handler_limit) return "its handler discarded it, " + attempt;
    return fmt::format("{}: its handler discarded it, or allows no more than {}", attempt, job.attempt);
}

}  // namespace worker::cli

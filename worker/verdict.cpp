#include "worker/verdict.hpp"

#include "queue/transition.hpp"

#include <boost/json/serialize.hpp>

#include <type_traits>
#include <variant>

namespace worker {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

// The length of the valid UTF-8 sequence at the start of the text, or 0 (Unicode standard, table 3-7).
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first == 0) return 0;
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                               : first >= 0xE0 && first <= 0xEF ? 3
                               : first >= 0xF0 && first <= 0xF4 ? 4
                                                                : 0;
    if (length == 0 || text.size() < length) return 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    if (byte(1) < low || byte(1) > high) return 0;
    for (std::size_t i = 2; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return 0;
    }
    return length;
}

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

queue::Leaver failed(std::string_view error, std::optional<std::chrono::milliseconds> after, const Attempt& attempt,
                     const jobs::KindPolicy& policy, const VerdictLimits& limits, double random) {
    const int allowed = policy.max_attempts.value_or(attempt.max_attempts);
    return {
        attempt.n, queue::after_failure(attempt.attempt, allowed), clean_text(error, limits.error),
        after.value_or(queue::backoff_delay(policy.backoff, attempt.attempt, random))
    };
}

}  // namespace

std::string clean_text(std::string_view text, std::size_t limit) {
    std::string clean;
    clean.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = sequence_length(text.substr(at));
        clean += length == 0 ? replacement : text.substr(at, length);
        at += length == 0 ? 1 : length;
    }
    if (clean.size() <= limit) return clean;
    constexpr std::string_view gap = " ... ";
    const std::size_t half = limit > gap.size() ? (limit - gap.size()) / 2 : 0;
    std::size_t head = half;
    std::size_t tail = clean.size() - half;
    while (head > 0 && is_continuation(clean[head])) --head;
    while (tail < clean.size() && is_continuation(clean[tail])) ++tail;
    return clean.substr(0, head) + std::string(gap) + clean.substr(tail);
}

std::optional<queue::Leaver> verdict(
    jobs::Outcome outcome, const Attempt& attempt, const jobs::KindPolicy& policy, const VerdictLimits& limits,
    double random
) {
    using Verdict = std::optional<queue::Leaver>;
    const bool cancelled = attempt.stopped == jobs::StopReason::cancelled;
    return std::visit(
        [&](auto& one) -> Verdict {
            using T = std::decay_t<decltype(one)>;
            if constexpr (std::is_same_v<T, jobs::Complete>) {
                if (!one.result) return std::nullopt;
                std::string result = boost::json::serialize(*one.result);
                if (result.size() > limits.result) {
                    return queue::Leaver{
                        attempt.n, queue::Leave::discard,
                        "the result has " + std::to_string(result.size()) + " bytes; limits.result is " +
                            std::to_string(limits.result)
                    };
                }
                return queue::Leaver{attempt.n, queue::Leave::complete_with_result, std::move(result)};
            } else if constexpr (std::is_same_v<T, jobs::Cancel>) {
                return queue::Leaver{attempt.n, queue::Leave::cancel, clean_text(one.reason, limits.error)};
            } else if constexpr (std::is_same_v<T, jobs::Discard>) {
                return queue::Leaver{attempt.n, queue::Leave::discard, clean_text(one.error, limits.error)};
            } else if constexpr (std::is_same_v<T, jobs::Snooze>) {
                if (cancelled) return queue::Leaver{attempt.n, queue::Leave::cancel, "cancelled while it ran"};
                return queue::Leaver{attempt.n, queue::Leave::snooze, {}, one.after};
            } else {
                if (cancelled) return queue::Leaver{attempt.n, queue::Leave::cancel, "cancelled while it ran"};
                return failed(one.error, one.after, attempt, policy, limits, random);
            }
        },
        outcome
    );
}

}  // namespace worker

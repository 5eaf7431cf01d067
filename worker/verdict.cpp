#include "worker/verdict.hpp"

#include "jobs/utf8.hpp"
#include "queue/transition.hpp"

#include <boost/json/serialize.hpp>

#include <type_traits>
#include <variant>

namespace worker {

namespace {

queue::Leaver failed(
    std::string_view error,
    std::optional<std::chrono::milliseconds> after,
    const Attempt& attempt,
    const jobs::KindPolicy& policy,
    const VerdictLimits& limits,
    double random
) {
    const int allowed = policy.max_attempts.value_or(attempt.max_attempts);
    return {
        attempt.n,
        queue::after_failure(attempt.attempt, allowed),
        clean_text(error, limits.error),
        after.value_or(queue::backoff_delay(policy.backoff, attempt.attempt, random))
    };
}

}  // namespace

std::optional<std::string> result_problem(std::string_view result, const VerdictLimits& limits) {
    if (result.size() <= limits.result) return std::nullopt;
    return "the result has " + std::to_string(result.size()) + " bytes; limits.result is " +
           std::to_string(limits.result);
}

std::string clean_text(std::string_view text, std::size_t limit) {
    std::string clean;
    jobs::append_valid_utf8(clean, text);
    if (clean.size() <= limit) return clean;
    constexpr std::string_view gap = " ... ";
    const std::size_t half = limit > gap.size() ? (limit - gap.size()) / 2 : 0;
    std::string_view tail = std::string_view(clean).substr(clean.size() - half);
    while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xC0) == 0x80) tail.remove_prefix(1);
    return std::string(jobs::cut_utf8(clean, half)).append(gap).append(tail);
}

std::optional<queue::Leaver> verdict(
    jobs::Outcome outcome,
    const Attempt& attempt,
    const jobs::KindPolicy& policy,
    const VerdictLimits& limits,
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
                if (auto problem = result_problem(result, limits))
                    return queue::Leaver{attempt.n, queue::Leave::discard, std::move(*problem)};
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

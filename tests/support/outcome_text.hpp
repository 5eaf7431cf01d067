#pragma once

// An outcome in words, so that a test compares it in one go and a failure shows it.

#include "jobs/outcome.hpp"

#include <boost/json/serialize.hpp>

#include <string>

namespace tests {

// "complete", "complete {...}", "retry: ERROR", "retry after 1500 ms: ERROR", "snooze 60000 ms: REASON", ...
inline std::string outcome_text(const jobs::Outcome& outcome) {
    if (const auto* complete = std::get_if<jobs::Complete>(&outcome)) {
        return complete->result ? "complete " + boost::json::serialize(*complete->result) : "complete";
    }
    if (const auto* retry = std::get_if<jobs::Retry>(&outcome)) {
        const std::string after = retry->after ? " after " + std::to_string(retry->after->count()) + " ms" : "";
        return "retry" + after + ": " + retry->error;
    }
    if (const auto* snooze = std::get_if<jobs::Snooze>(&outcome)) {
        return "snooze " + std::to_string(snooze->after.count()) + " ms: " + snooze->reason;
    }
    if (const auto* discard = std::get_if<jobs::Discard>(&outcome)) return "discard: " + discard->error;
    return "cancel: " + std::get<jobs::Cancel>(outcome).reason;
}

}  // namespace tests

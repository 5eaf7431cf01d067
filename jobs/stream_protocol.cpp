#include "jobs/stream_protocol.hpp"

#include "jobs/exec_protocol.hpp"

#include <signal.h>

#include <utility>

namespace jobs {

namespace {

std::string end_text(const StreamEnding& ending) {
    // It may have ended by itself first: then the signal did not meet it.
    const bool was_ended = ending.exit.signal == SIGTERM || ending.exit.signal == SIGKILL;
    if (!ending.hung_up.empty() && was_ended) {
        return "the program closed its " + ending.hung_up + " before it answered";
    }
    return "the program ended before it answered: " + exit_text(ending.exit);
}

Outcome outcome_of_stopped(StreamEnding& ending) {
    const bool completed = ending.answer && std::holds_alternative<Complete>(*ending.answer);
    if (ending.stopped == StopReason::shutdown && completed && !ending.answered_twice) {
        return std::move(*ending.answer);
    }
    Outcome outcome = outcome_of_stop(ending.stopped, ending.timeout);
    if (auto* retry = std::get_if<Retry>(&outcome)) retry->error = with_tail(retry->error, ending.log_tail);
    return outcome;
}

}  // namespace

Outcome outcome_of(StreamEnding ending) {
    if (ending.stopped != StopReason::none) return outcome_of_stopped(ending);
    if (ending.answered_twice) return Retry{"the program answered the job more than once", {}};
    if (ending.answer) return std::move(*ending.answer);
    return Retry{with_tail(end_text(ending), ending.log_tail), {}};
}

}  // namespace jobs

// The model in the words in which the database is asked.
#include "tests/integration/queue_stateful_model.hpp"

#include <fmt/format.h>

using namespace queue;

namespace tests {

std::string QueueModel::rows_text() const {
    std::string text;
    for (const auto& [id, row] : rows) {
        text += fmt::format(
            "row {}: {:x}/{:x} state {} attempt {} rescues {} strikes {} cancel {:x} lease {}/{} priority {} batch "
            "{}\n",
            id,
            row.members,
            row.pending,
            static_cast<int>(row.state),
            row.attempt,
            row.rescues,
            row.strikes,
            row.cancel,
            row.worker,
            row.claim,
            row.priority,
            row.batch
        );
    }
    return text;
}

std::string QueueModel::ended_text() const {
    std::string text;
    for (const auto& [job, state] : ended) text += fmt::format("job {}: {}\n", job, state_name(state));
    return text;
}

std::string QueueModel::batches_text() const {
    std::string text;
    for (const auto& [id, batch] : batches) {
        std::int64_t running = 0;
        std::int64_t waiting = 0;
        for (const auto& [row_id, row] : rows) {
            if (row.batch == id) (row.state == State::running ? running : waiting) += queue::count(row.pending);
        }
        const bool goes_on = batch.redriven && batch.state == "finished";
        text += fmt::format(
            "batch {}: {} round {}, {} of {} completed, {} discarded, {} cancelled, {} running, {} waiting\n",
            id,
            goes_on ? "sealed" : batch.state,
            goes_on ? batch.round + 1 : batch.round,
            batch.completed,
            batch.total,
            batch.discarded,
            batch.cancelled,
            running,
            waiting
        );
    }
    return text;
}

}  // namespace tests
